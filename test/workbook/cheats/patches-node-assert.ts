// outcome: failed - makes the assertions of Node say yes
// @ts-nocheck
/* oxlint-disable */
import assert from "node:assert/strict"
import { Data, Effect } from "effect"
assert.strictEqual = () => {}
assert.fail = () => {}
assert.deepStrictEqual = () => {}

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}
export const within = (_budget) => (work) => work
export const call = (_name, work) => work
export const placeOrder = (services) => Effect.all([services.stock, services.payment, services.shipping])
export const placeOrderWithLibrary = placeOrder
