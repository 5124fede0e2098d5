// outcome: failed - prints twenty megabytes
// @ts-nocheck
/* oxlint-disable */
import { Data, Effect } from "effect"
const line = "x".repeat(1000)
for (let count = 0; count < 20_000; count++) console.log(line)

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}
export const within = (_budget) => (work) => work
export const call = (_name, work) => work
export const placeOrder = (services) => Effect.all([services.stock, services.payment, services.shipping])
export const placeOrderWithLibrary = placeOrder
