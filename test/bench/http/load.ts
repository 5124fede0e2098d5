/**
 * The load, in a process of its own, over plain sockets: a client that does as little as it can, so that what is measured
 * is the server. Closed loops ask again when an answer has come; open ones keep their pace whatever the answers do.
 */
import { connect, type Socket } from "node:net"
import { answering } from "./answering.ts"

export interface Asked {
  readonly host: string
  readonly port: number
  readonly method?: "GET" | "POST"
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Closed extends Asked {
  readonly connections: number
  readonly millis: number
}

export interface Open {
  readonly perSecond: number
  readonly millis: number
  /** The requests that are sent, by their share of all. */
  readonly mix: ReadonlyArray<Asked & { readonly share: number }>
}

/** What came back for requests of one kind. */
export interface Outcome {
  readonly perSecond: number
  readonly requests: number
  /** Answers by status; 0 is a connection that broke. */
  readonly statuses: Readonly<Record<number, number>>
  /** In milliseconds, of answers that are not a refusal by 503. */
  readonly p50: number
  readonly p99: number
}

const bytesOf = ({ body = "", headers = {}, host, method = "GET", path, port }: Asked): string =>
  [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}:${port}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === "" ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
    "",
    body
  ].join("\r\n")

/** One kept connection, one request at a time. */
class Connection {
  readonly #socket: Socket
  #text = ""
  #done: ((status: number) => void) | undefined
  closed = false

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true }).setEncoding("latin1")
    this.#socket.on("data", (chunk: string) => {
      this.#text += chunk
      const length = complete(this.#text)
      if (length === undefined) return
      const status = Number(this.#text.slice(9, 12))
      this.#text = this.#text.slice(length)
      this.#finish(status)
    })
    this.#socket.on("error", () => undefined)
    this.#socket.on("close", () => {
      this.closed = true
      this.#finish(0)
    })
  }

  send(bytes: string, done: (status: number) => void): void {
    this.#done = done
    this.#socket.write(bytes, "latin1")
  }

  end(): void {
    this.#done = undefined
    this.#socket.destroy()
  }

  #finish(status: number): void {
    const done = this.#done
    this.#done = undefined
    done?.(status)
  }
}

/** The length of the answer that the text begins with, when all of it is there. */
const complete = (text: string): number | undefined => {
  const head = text.indexOf("\r\n\r\n")
  if (head < 0) return undefined
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)
  if (length !== null && length.index < head) {
    const end = head + 4 + Number(length[1])
    return text.length >= end ? end : undefined
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(text.slice(0, head))) {
    return text.endsWith("\r\n0\r\n\r\n") ? text.length : undefined
  }
  return head + 4
}

class Tally {
  readonly #millis: Array<number> = []
  readonly #statuses: Record<number, number> = {}

  add(status: number, millis: number): void {
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
    if (status !== 503) this.#millis.push(millis)
  }

  outcome(seconds: number): Outcome {
    const sorted = this.#millis.toSorted((a, b) => a - b)
    const requests = Object.values(this.#statuses).reduce((sum, count) => sum + count, 0)
    const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0
    return { requests, perSecond: requests / seconds, statuses: this.#statuses, p50: at(0.5), p99: at(0.99) }
  }
}

const closed = async (question: Closed): Promise<Outcome> => {
  const bytes = bytesOf(question)
  const tally = new Tally()
  const started = performance.now()
  const ends = started + question.millis
  await Promise.all(Array.from({ length: question.connections }, () =>
    new Promise<void>((resolve) => {
      let connection = new Connection(question.host, question.port)
      const next = () => {
        const begin = performance.now()
        if (begin >= ends) {
          connection.end()
          return resolve()
        }
        if (connection.closed) connection = new Connection(question.host, question.port)
        connection.send(bytes, (status) => {
          tally.add(status, performance.now() - begin)
          if (status === 0) setTimeout(next, 1)
          else next()
        })
      }
      next()
    })))
  return tally.outcome((performance.now() - started) / 1000)
}

/** Mulberry32: the same arrivals in every run. */
const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}

/** Requests arrive by chance (exponential gaps), each when it is due: what waits for a connection has begun to wait. */
const open = ({ millis, mix, perSecond }: Open): Promise<ReadonlyArray<Outcome>> =>
  new Promise((resolve) => {
    const random = seeded(7)
    const kinds = mix.map((kind) => ({ ...kind, bytes: bytesOf(kind), tally: new Tally() }))
    const idle: Array<Connection> = []
    const all = new Set<Connection>()
    const started = performance.now()
    let due = started
    let running = 0
    const draw = () => {
      let point = random()
      return kinds.find(({ share }) => (point -= share) < 0) ?? kinds.at(-1)!
    }
    const ask = (from: number) => {
      const { bytes, host, port, tally } = draw()
      const connection = idle.pop() ?? new Connection(host, port)
      all.add(connection)
      running++
      connection.send(bytes, (status) => {
        tally.add(status, performance.now() - from)
        running--
        if (connection.closed) all.delete(connection)
        else idle.push(connection)
      })
    }
    const tick = () => {
      const now = performance.now()
      while (due <= now && due < started + millis) {
        // A timer is a millisecond late at best; what is later than that is the fault of this process, and counts.
        ask(now - due < 2 ? now : due)
        due += (-Math.log(1 - random()) * 1000) / perSecond
      }
      if (due < started + millis || running > 0) return void setTimeout(tick, 1)
      const seconds = millis / 1000
      for (const connection of all) connection.end()
      resolve(kinds.map(({ tally }) => tally.outcome(seconds)))
    }
    tick()
  })

/** Connections that ask once and then stay open, until they are let go. */
let held: Array<Connection> = []

const hold = async ({ connections, ...asked }: Asked & { connections: number }): Promise<number> => {
  const bytes = bytesOf(asked)
  while (held.length < connections) {
    const batch = Array.from(
      { length: Math.min(100, connections - held.length) },
      () => new Connection(asked.host, asked.port)
    )
    const statuses = await Promise.all(
      batch.map((connection) => new Promise<number>((resolve) => connection.send(bytes, resolve)))
    )
    if (statuses.includes(0)) return held.length
    held.push(...batch)
  }
  return held.filter((connection) => !connection.closed).length
}

const letGo = (): number => {
  const open = held.filter((connection) => !connection.closed).length
  for (const connection of held) connection.end()
  held = []
  return open
}

answering({ closed, open, hold, letGo })
