// The codec of the library reads and writes the header; `Deadline.reserve` keeps the margin.
import { Duration, Effect, Option, Result } from "effect"
import { Deadline, DeadlineCodec, Propagation } from "effect-lifecycle/request"
import { header, margin, type Reply, type Service, standard } from "../solution.ts"

export { header, margin, type Reply, type Service, standard } from "../solution.ts"

const tooLate = () => Effect.succeed<Reply>({ status: 504 })

export const granted = (value: string | undefined): Duration.Duration =>
  Result.getOrElse(
    DeadlineCodec.requestTimeout.decode(value ?? ""),
    () => Duration.fromInputUnsafe(standard)
  )

export const call = (service: Service): Effect.Effect<Reply> =>
  Effect.flatMap(
    Deadline.remaining,
    (left) => service(Option.isNone(left) ? {} : { [header]: DeadlineCodec.requestTimeout.encode(left.value) })
  ).pipe(
    Deadline.reserve(margin),
    Effect.catchTag("DeadlineExceeded", tooLate)
  )

export const receive = (handler: Effect.Effect<string>): Service => (headers) =>
  handler.pipe(
    Effect.map((body): Reply => ({ status: 200, body })),
    Deadline.within(granted(headers[header])),
    Effect.catchTag("DeadlineExceeded", tooLate)
  )

export const callWithLibrary = (service: Service): Effect.Effect<Reply> =>
  Effect.flatMap(Propagation.inject(), service).pipe(
    Deadline.reserve(margin),
    Effect.catchTag("DeadlineExceeded", tooLate)
  )

export const receiveWithLibrary = (handler: Effect.Effect<string>): Service =>
  Effect.fnUntraced(function*(headers) {
    const extracted = yield* Propagation.extract(headers, { default: standard })
    const answer = Effect.map(handler, (body): Reply => ({ status: 200, body }))
    return yield* Deadline.enforce(answer).pipe(
      Effect.catchTag("DeadlineExceeded", tooLate),
      Propagation.run(extracted)
    )
  })
