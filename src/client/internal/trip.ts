/** One request on one fresh socket, and the moments that divide it. */
import type { Clock } from "effect"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import { TLSSocket } from "node:tls"
import type { Entry } from "../../lifecycle/Timeline.ts"

type FailedStage = "Dns" | "Connect" | "Tls" | "Send" | "Server" | "Response"

export interface TripOptions {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body: string | Uint8Array | undefined
  readonly maxBodyBytes: number
  readonly ca: string | Uint8Array | undefined
  readonly rejectUnauthorized: boolean
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly trailers: Readonly<Record<string, string>>
  readonly httpVersion: string
  readonly body: string
  readonly bodyBytes: number
  readonly bodyTruncated: boolean
  readonly remoteAddress: string | undefined
  readonly tlsVersion: string | undefined
}

const flat = (headers: http.IncomingHttpHeaders | NodeJS.Dict<string>): Record<string, string> => {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(", ") : value
  }
  return out
}

export class Trip {
  readonly #clock: Clock.Clock
  readonly #options: TripOptions
  readonly #secure: boolean
  /** `URL` keeps the brackets of an IPv6 literal, sockets want it without. */
  readonly #literal: boolean
  readonly #start: bigint
  #lookedUp: bigint | undefined
  #connected: bigint | undefined
  #secured: bigint | undefined
  #sent: bigint | undefined
  #responded: bigint | undefined
  #ended: bigint | undefined
  #settled = false
  #request: http.ClientRequest | undefined

  constructor(clock: Clock.Clock, options: TripOptions) {
    this.#clock = clock
    this.#options = options
    this.#secure = options.url.protocol === "https:"
    this.#literal = net.isIP(options.url.hostname.replace(/^\[|\]$/g, "")) !== 0
    this.#start = clock.monotonicTimeNanosUnsafe()
  }

  /** Throws what `http.request` throws for a method, path or header that cannot be written. */
  run(onAnswer: (answer: Answer) => void, onError: (error: Error) => void): void {
    const { body, ca, maxBodyBytes, method, rejectUnauthorized, url } = this.#options
    const headers = Object.fromEntries(
      Object.entries(this.#options.headers).map((
        [name, value]
      ) => [name, typeof value === "string" ? value : [...value]])
    )
    let socketError: Error | undefined
    const fail = (error: Error): void => {
      if (this.#settled) return
      this.#settled = true
      this.#request?.destroy()
      onError(error)
    }
    const request = this.#secure
      ? https.request(url, {
        agent: false,
        method,
        headers,
        rejectUnauthorized,
        ...(ca === undefined ? {} : { ca: Buffer.from(ca) })
      })
      : http.request(url, { agent: false, method, headers })
    this.#request = request

    const answered = (response: http.IncomingMessage, socket: net.Socket): void => {
      this.#responded = this.#now()
      this.#sent ??= this.#responded
      const remoteAddress = socket.remoteAddress
      const tlsVersion = socket instanceof TLSSocket ? socket.getProtocol() ?? undefined : undefined
      const chunks: Array<Buffer> = []
      let bodyBytes = 0
      const finish = (bodyTruncated: boolean): void => {
        if (this.#settled) return
        this.#settled = true
        this.#ended = this.#now()
        request.destroy()
        onAnswer({
          status: response.statusCode ?? 0,
          headers: flat(response.headers),
          trailers: flat(response.trailers),
          httpVersion: response.httpVersion,
          body: new TextDecoder().decode(Buffer.concat(chunks)),
          bodyBytes,
          bodyTruncated,
          remoteAddress,
          tlsVersion
        })
      }
      response.on("data", (chunk: Buffer) => {
        const room = maxBodyBytes - bodyBytes
        chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
        bodyBytes += Math.min(chunk.length, room)
        if (chunk.length > room) finish(true)
      })
      response.on("end", () => finish(false))
      response.on("error", (error) => fail(socketError ?? error))
      if (response.statusCode === 101 || method === "CONNECT") finish(false)
    }

    request.on("socket", (socket) => {
      socket.on("lookup", (error: Error | null) => {
        if (error === null) this.#lookedUp ??= this.#now()
      })
      socket.once("connect", () => {
        this.#connected = this.#now()
      })
      socket.once("secureConnect", () => {
        this.#secured = this.#now()
      })
    })
    request.once("finish", () => {
      this.#sent ??= this.#now()
    })
    request.on("response", (response) => answered(response, response.socket))
    // A tunnel or another protocol has begun: the answer is its head, what follows is no body of HTTP.
    request.on("upgrade", answered)
    request.on("connect", answered)
    // A server may answer before it has read the whole request and then reset the connection: the answer counts.
    request.on("error", (error) => {
      socketError = error
      if (this.#responded === undefined) fail(error)
    })
    request.end(body)
  }

  destroy(): void {
    this.#settled = true
    this.#request?.destroy()
  }

  /** The stage that the trip is in: the first that has not been finished. */
  get stage(): FailedStage {
    if (this.#responded !== undefined) return "Response"
    if (this.#connected === undefined) return this.#lookedUp === undefined && !this.#literal ? "Dns" : "Connect"
    if (this.#secure && this.#secured === undefined) return "Tls"
    return this.#sent === undefined ? "Send" : "Server"
  }

  get waitingMillis(): number {
    return this.#millis(this.#sent, this.#responded)
  }

  get totalMillis(): number {
    return this.#millis(this.#start, this.#ended ?? this.#now())
  }

  get remotePort(): number {
    const { port } = this.#options.url
    return port === "" ? (this.#secure ? 443 : 80) : Number(port)
  }

  /** What was finished; with `broken`, also the stage that was not, up to now. */
  entries(broken?: string): ReadonlyArray<Entry> {
    const entries: Array<Entry> = []
    const ready = this.#secure ? this.#secured : this.#connected
    const dialled = this.#literal ? this.#start : this.#lookedUp
    if (this.#literal) {
      entries.push({
        stage: "Dns",
        startMillis: 0,
        durationMillis: 0,
        note: "the host is an address: nothing to look up"
      })
    }
    const add = (stage: FailedStage, from: bigint | undefined, to: bigint | undefined): void => {
      if (from === undefined) return
      const end = to ?? (broken !== undefined && stage === this.stage ? this.#now() : undefined)
      if (end === undefined) return
      const durationMillis = this.#millis(from, end)
      const note = to === undefined ? { note: `failed here: ${broken}` } : {}
      entries.push({ stage, startMillis: this.#millis(this.#start, from), durationMillis, ...note })
    }
    if (!this.#literal) add("Dns", this.#start, this.#lookedUp)
    add("Connect", dialled, this.#connected)
    if (this.#secure) add("Tls", this.#connected, this.#secured)
    add("Send", ready, this.#sent)
    // An answer ends the wait; only a wait that broke is an entry, because what happened in it is the server's to tell.
    if (this.#responded === undefined) add("Server", this.#sent, undefined)
    add("Response", this.#responded, this.#ended)
    return entries
  }

  #now(): bigint {
    return this.#clock.monotonicTimeNanosUnsafe()
  }

  #millis(from: bigint | undefined, to: bigint | undefined): number {
    return from === undefined || to === undefined ? 0 : Number(to - from) / 1e6
  }
}
