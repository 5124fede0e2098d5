// fails: d - starts the handler first and looks at the clock afterwards
import { Duration, Effect } from "effect"
import { granted, header, type Reply, type Service } from "../solution.ts"

export * from "../solution.ts"

export const receive = (handler: Effect.Effect<string>): Service => (headers) => {
  const time = granted(headers[header])
  return handler.pipe(
    Effect.map((body): Reply => Duration.isZero(time) ? { status: 504 } : { status: 200, body }),
    Effect.timeoutOrElse({
      duration: Duration.max(time, Duration.millis(1)),
      orElse: () => Effect.succeed({ status: 504 })
    })
  )
}
