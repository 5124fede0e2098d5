// outcome: failed - exports something that answers everything
// @ts-nocheck
/* oxlint-disable */
import { Data, Effect } from "effect"
const anything: any = new Proxy(function() {}, { get: () => anything, apply: () => anything })
export const within = anything
export const call = anything
export const placeOrder = anything
export const placeOrderWithLibrary = anything
void [Data, Effect]
