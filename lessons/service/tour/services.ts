/** The three services that the tour visits, and the client it asks them with. */
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { Probe } from "effect-lifecycle/client"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Doors } from "../gateway.ts"
import type { Addresses } from "../launch.ts"
import { Order } from "../orders/model.ts"
import { User } from "../users/model.ts"

/** A line of a service's log. */
export type LogLine = Readonly<Record<string, unknown>>

export class Services extends Context.Service<Services, {
  readonly addresses: Addresses
  /** What stands in front of them. */
  readonly gateway: Pick<Doors, "https" | "certificate">
  /** The parts of the road that the gateway has timed so far, by request id. */
  readonly timed: ReadonlyMap<string, ReadonlyArray<Recorder.StagesTimed>>
  /** Every line that the services have logged so far. */
  readonly log: ReadonlyArray<string>
  /** A request to a host that does not exist; it was sent when the tour began. */
  readonly unknownHost: Effect.Effect<Probe.ProbeResult, Probe.ProbeError>
}>()("lessons/service/tour/Services") {}

/** Who the tour is. */
export const token = "token123"
export const tokens = `${token}:alice,token456:bob`

/** Routes of the users service with a bug and with too much to do, which the services themselves do not have. */
export const troubles: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.mergeAll(
  HttpRouter.add("GET", "/tour/bug", Effect.die(new Error("the tour asked for a bug"))),
  HttpRouter.add("GET", "/tour/slow", Effect.as(Effect.sleep("10 seconds"), HttpServerResponse.text("too late")))
)

export interface Sent {
  readonly method?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Sent as it is; an object as JSON with its media type. */
  readonly body?: string | object | undefined
  /** `null` sends none. */
  readonly token?: string | null | undefined
  /** Whom to trust over https, in PEM; whom the system trusts when absent. */
  readonly ca?: string | undefined
}

/** One request on a connection of its own. */
export const askUrl = (url: string, sent: Sent = {}): Effect.Effect<Probe.ProbeResult, Probe.ProbeError> => {
  const { body, ca, headers, method, token: given = token } = sent
  return Probe.probe({
    url,
    method,
    headers: {
      ...(given === null ? {} : { authorization: `Bearer ${given}` }),
      ...(typeof body === "object" ? { "content-type": "application/json" } : {}),
      ...headers
    },
    body: typeof body === "object" ? JSON.stringify(body) : body,
    timeout: "15 seconds",
    ca
  })
}

export const ask = (service: keyof Addresses, path: string, sent?: Sent) =>
  Effect.flatMap(Services, ({ addresses }) => askUrl(addresses[service] + path, sent))

/** A scenario could not begin, because what it needs could not be had. */
export class Unprepared extends Schema.TaggedError<Unprepared>()("Unprepared", {
  request: Schema.String,
  status: Schema.Int,
  body: Schema.String
}) {
  override get message(): string {
    return `${this.request} answered ${this.status} ${this.body.slice(0, 200)}`
  }
}

const created = (request: string, { body, status }: Probe.ProbeResult) =>
  status === 201 ? Effect.succeed(body) : Effect.fail(new Unprepared({ request, status, body }))

export const alice = { name: "Alice", email: "alice@example.com" }

/** A new user. */
export const register = ask("users", "/users", { method: "POST", body: alice }).pipe(
  Effect.flatMap((answer) => created("POST /users", answer)),
  Effect.flatMap(Schema.decodeEffect(Schema.fromJsonString(User)))
)

export const books = (userId: string) => ({ userId, lines: [{ sku: "book", quantity: 2, price: 1250 }] })

/** A new order of that user. */
export const place = (userId: string, key: string) =>
  ask("orders", "/orders", { method: "POST", headers: { "idempotency-key": key }, body: books(userId) }).pipe(
    Effect.flatMap((answer) => created("POST /orders", answer)),
    Effect.flatMap(Schema.decodeEffect(Schema.fromJsonString(Order)))
  )

/** The body as JSON; what is not JSON stays text, so that a difference can show it. */
export const json = (answer: { readonly body: string }): unknown => {
  try {
    return JSON.parse(answer.body)
  } catch {
    return answer.body
  }
}

/**
 * The log lines from `from` on, once `enough` says so. An access line is written when the answer has been sent, so it may
 * come after the answer; what is there after two seconds is all there is.
 */
export const linesSince = (from: number, enough: (lines: ReadonlyArray<LogLine>) => boolean) =>
  Effect.flatMap(Services, ({ log }) => {
    const read = Effect.sync(() => log.slice(from).map((line) => JSON.parse(line) as LogLine))
    return read.pipe(
      Effect.filterOrFail(enough),
      Effect.retry(Schedule.upTo(Schedule.spaced("10 millis"), { duration: "2 seconds" })),
      Effect.catch(() => read)
    )
  })
