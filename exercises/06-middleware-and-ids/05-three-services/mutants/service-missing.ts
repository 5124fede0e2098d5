// fails: b - one log for the whole shop, under the name of the shop
import { Logs } from "effect-lifecycle/observability"

export { call, receive, reconstruct } from "../solution.ts"

export const logs = (_service: string, sink: (line: string) => void) => Logs.layer({ service: "shop", sink })
