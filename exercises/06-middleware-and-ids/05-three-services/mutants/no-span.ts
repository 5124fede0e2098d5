// fails: b - hands everything on, and begins no span for the visit
import { Effect } from "effect"
import { Propagation } from "effect-lifecycle/request"
import type { Headers, Reply } from "../shop.ts"

export { call, logs, reconstruct } from "../solution.ts"

export const receive = (_service: string, handler: Effect.Effect<Reply>) => (headers: Headers): Effect.Effect<Reply> =>
  Effect.flatMap(Propagation.extract(headers, { trusted: true }), (extracted) => Propagation.run(handler, extracted))
