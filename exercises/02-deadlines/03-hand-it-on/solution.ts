import { Duration, Effect, Option } from "effect"
import { Deadline, Propagation } from "effect-lifecycle/request"

export const header = "x-request-timeout"
export const margin: Duration.Input = "50 millis"
export const standard: Duration.Input = "2 seconds"

export interface Headers {
  readonly [name: string]: string | undefined
}

export interface Reply {
  readonly status: number
  readonly body?: string
}

export type Service = (headers: Headers) => Effect.Effect<Reply>

const tooLate: Reply = { status: 504 }

export const granted = (value: string | undefined): Duration.Duration => {
  const seconds = value === undefined || value.trim() === "" ? Number.NaN : Number(value)
  return seconds >= 0 && seconds <= 3600 ? Duration.millis(seconds * 1000) : Duration.fromInputUnsafe(standard)
}

export const call = (service: Service): Effect.Effect<Reply> =>
  Effect.gen(function*() {
    const left = yield* Deadline.remaining
    if (Option.isNone(left)) return yield* service({})
    const forThem = Duration.toMillis(left.value) - Duration.toMillis(margin)
    return forThem > 0 ? yield* service({ [header]: String(forThem / 1000) }) : tooLate
  })

export const receive = (handler: Effect.Effect<string>): Service => (headers) =>
  handler.pipe(
    Effect.map((body): Reply => ({ status: 200, body })),
    Deadline.within(granted(headers[header])),
    Effect.catchTag("DeadlineExceeded", () => Effect.succeed(tooLate))
  )

export const callWithLibrary = (service: Service): Effect.Effect<Reply> =>
  Effect.flatMap(
    Propagation.inject({}, { margin }),
    (headers) => headers[header] === "0" ? Effect.succeed(tooLate) : service(headers)
  )

export const receiveWithLibrary = (handler: Effect.Effect<string>): Service => (headers) =>
  Effect.flatMap(Propagation.extract(headers, { default: standard }), (extracted) =>
    handler.pipe(
      Effect.map((body): Reply => ({ status: 200, body })),
      Deadline.enforce,
      Effect.catchTag("DeadlineExceeded", () => Effect.succeed(tooLate)),
      Propagation.run(extracted)
    ))
