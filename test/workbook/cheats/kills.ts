// outcome: failed - ends the process from outside
// @ts-nocheck
/* oxlint-disable */
import { Data, Effect } from "effect"
process.kill(process.pid, "SIGKILL")

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}
export const within = (_budget) => (work) => work
export const call = (_name, work) => work
export const placeOrder = (services) => Effect.all([services.stock, services.payment, services.shipping])
export const placeOrderWithLibrary = placeOrder
