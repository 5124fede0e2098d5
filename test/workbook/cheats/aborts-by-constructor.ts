// outcome: cheated - reaches the process through a function of functions
// @ts-nocheck
/* oxlint-disable */
import { Data, Effect } from "effect"
const hidden = (() => {}).constructor("return process")()
hidden.kill(hidden.pid, "SIGKILL")

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}
export const within = (_budget) => (work) => work
export const call = (_name, work) => work
export const placeOrder = (services) => Effect.all([services.stock, services.payment, services.shipping])
export const placeOrderWithLibrary = placeOrder
