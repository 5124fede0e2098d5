// outcome: timedOut - loops inside a test
// @ts-nocheck
/* oxlint-disable */
import { Data, Effect } from "effect"

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}
export const within = (_budget) => (work) => work
export const call = (_name, work) => work
export const placeOrder = (services) => {
  for (;;) {}
}
const honest = (services) => Effect.all([services.stock, services.payment, services.shipping])
export const placeOrderWithLibrary = honest
