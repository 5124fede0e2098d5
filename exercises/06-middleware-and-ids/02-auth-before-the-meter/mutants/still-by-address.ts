// fails: c - the order is right, but what is counted is still the address
import { Layer } from "effect"
import { metered as byAddress } from "../exercise.ts"
import { authenticated, listOrders, placeOrder, profile } from "../shop.ts"

export * from "../solution.ts"

export const app = Layer.mergeAll(listOrders, placeOrder, profile).pipe(
  Layer.provide(byAddress.combine(authenticated).layer)
)
