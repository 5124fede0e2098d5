// fails: e - hands on all that is left, and nothing remains for the road
import { Effect } from "effect"
import { Propagation } from "effect-lifecycle/request"
import { header, type Reply, type Service } from "../solution.ts"

export * from "../solution.ts"

export const callWithLibrary = (service: Service): Effect.Effect<Reply> =>
  Effect.flatMap(
    Propagation.inject({}),
    (headers) => headers[header] === "0" ? Effect.succeed({ status: 504 }) : service(headers)
  )
