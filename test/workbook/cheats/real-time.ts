// outcome: failed - waits for a timer of its own
// @ts-nocheck
/* oxlint-disable */
import { Data, Effect } from "effect"

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}
export const within = (_budget) => (work) => work
export const call = (_name, work) => work
export const placeOrder = () => Effect.promise(() => new Promise((done) => setTimeout(() => done([]), 60_000)))
const honest = (services) => Effect.all([services.stock, services.payment, services.shipping])
export const placeOrderWithLibrary = honest
