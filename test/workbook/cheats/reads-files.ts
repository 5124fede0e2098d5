// outcome: failed - reads the solution from the disk
// @ts-nocheck
/* oxlint-disable */
import { Data, Effect } from "effect"
import { readFileSync } from "node:fs"
const text = readFileSync(new URL("./solution.ts", import.meta.url), "utf8")
console.log(text.length)

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}
export const within = (_budget) => (work) => work
export const call = (_name, work) => work
export const placeOrder = (services) => Effect.all([services.stock, services.payment, services.shipping])
export const placeOrderWithLibrary = placeOrder
