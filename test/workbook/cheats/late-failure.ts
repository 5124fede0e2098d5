// outcome: failed - fails where no test waits for it
// @ts-nocheck
/* oxlint-disable */
import { Data, Effect } from "effect"
void Promise.reject(new Error("nobody waits for me"))

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}
export const within = (_budget) => (work) => work
export const call = (_name, work) => work
export const placeOrder = (services) => Effect.all([services.stock, services.payment, services.shipping])
export const placeOrderWithLibrary = placeOrder
