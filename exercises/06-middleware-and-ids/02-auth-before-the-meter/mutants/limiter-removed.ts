// fails: c - takes the meter away, and the office can order again
import { Layer } from "effect"
import { authenticated, listOrders, placeOrder, profile } from "../shop.ts"

export * from "../solution.ts"

export const app = Layer.mergeAll(listOrders, placeOrder, profile).pipe(Layer.provide(authenticated.layer))
