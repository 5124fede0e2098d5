/** The three services on ports of their own, what they logged, and what it takes to ask them. */
import { Context, Data, Effect, Layer, Schedule } from "effect"
import { Database } from "effect-lifecycle/testing"
import { connect } from "node:net"
import { type Addresses, launch } from "../../lessons/service/launch.ts"
import { address } from "../postgres.ts"

/** A line of the services' logs, parsed. */
export type Line = Readonly<Record<string, unknown>>

export class Services extends Context.Service<Services, {
  readonly addresses: Addresses
  /** Every line so far, as it was written. */
  readonly lines: ReadonlyArray<string>
}>()("test/service/Services") {}

/** The PostgreSQL of the test run. */
const serverOfRun: Layer.Layer<Database.Server> = Layer.effect(
  Database.Server,
  Effect.map(address, (address) => ({ address, description: "the server of the test run", embedded: undefined }))
)

/** The services over the server around, with databases of their own. */
export const launched = Layer.effect(
  Services,
  Effect.suspend(() => {
    const lines: Array<string> = []
    return Effect.map(
      launch({ port: 0, log: (line) => lines.push(line) }),
      (addresses) => ({ addresses, lines })
    )
  })
)

export const services = Layer.provide(launched, serverOfRun)

/** What came as JSON; each test knows what it asked for. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any

/** The connection broke before there was an answer. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly cause: unknown }> {}

/** What was awaited has not happened yet. */
export class NotYet extends Data.TaggedError("NotYet")<{ readonly message: string }> {}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** The parsed body, where it is JSON. */
  readonly body: Json
}

export interface Sent extends Omit<RequestInit, "headers"> {
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly json?: unknown
  /** `null` sends none; alice's when absent. */
  readonly token?: string | null | undefined
}

/** Asks with plain `fetch`, so that nothing of our own is on the client's side. A connection that breaks is a failure. */
export const ask = (url: string, sent: Sent = {}): Effect.Effect<Answer, NoAnswer> => {
  const { headers, json, token = "token123", ...init } = sent
  return Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, {
        signal,
        redirect: "manual",
        ...init,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(json === undefined ? {} : { "content-type": "application/json" }),
          ...headers
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) })
      })
      const text = await response.text()
      const type = response.headers.get("content-type") ?? ""
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        text,
        body: /[/+]json\b/.test(type) && text !== "" ? JSON.parse(text) : undefined
      }
    },
    catch: (cause) => new NoAnswer({ cause })
  })
}

/** Asks one of the services. */
export const call = (service: keyof Addresses, path: string, sent?: Sent) =>
  Effect.flatMap(Services, ({ addresses }) => Effect.orDie(ask(addresses[service] + path, sent)))

/** Sends bytes as they are, and answers with the bytes that came back until the other side closed or fell silent. */
export const raw = (service: keyof Addresses, bytes: string) =>
  Effect.flatMap(Services, ({ addresses }) =>
    Effect.callback<string>((resume) => {
      let got = ""
      const done = () => resume(Effect.succeed(got))
      const socket = connect({ port: Number(new URL(addresses[service]).port), host: "127.0.0.1" })
      socket.setTimeout(2000, () => socket.destroy())
      socket.on("data", (chunk: Buffer) => {
        got += String(chunk)
      })
      // A server that refuses a body may cut the connection while it is still being sent.
      socket.on("error", done)
      socket.on("close", done)
      socket.write(bytes)
      return Effect.sync(() => socket.destroy())
    }))

/** The lines that `wanted` chooses. An access line follows its answer, so this waits until there are `count`. */
export const linesWith = (wanted: (line: Line) => boolean, count = 1) =>
  Effect.flatMap(Services, ({ lines }) =>
    Effect.suspend(() => {
      const found = lines.map((line) => JSON.parse(line) as Line).filter(wanted)
      return found.length < count
        ? Effect.fail(new NotYet({ message: `${found.length} of ${count} lines: ${JSON.stringify(found)}` }))
        : Effect.succeed(found)
    }).pipe(eventually, Effect.orDie))

export const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.retry(effect, Schedule.upTo(Schedule.spaced("20 millis"), { duration: "5 seconds" }))

export const order = (userId: string, price = 1250) => ({ userId, lines: [{ sku: "book", quantity: 2, price }] })

let keys = 0
/** A key that no other test uses. */
export const newKey = (): string => `key-${keys++}`

export const register = Effect.map(
  call("users", "/users", { method: "POST", json: { name: "Alice", email: "alice@example.com" } }),
  (answer): string => answer.body.id
)

export const place = (userId: string, sent: Sent = {}) =>
  call("orders", "/orders", {
    method: "POST",
    json: order(userId),
    ...sent,
    headers: { "idempotency-key": newKey(), ...sent.headers }
  })
