// fails: b - answers without the handler: nothing goes wrong, and nothing happens
import { Effect } from "effect"
import type { Reply } from "../shop.ts"

export { call, logs, reconstruct } from "../solution.ts"

export const receive = (_service: string, _handler: Effect.Effect<Reply>) => (): Effect.Effect<Reply> =>
  Effect.succeed({ status: 200 })
