// fails: d - the profile has authentication, which its type asks for, and no meter, which no type asks for
import { Layer } from "effect"
import { door } from "../solution.ts"
import { authenticated, listOrders, placeOrder, profile } from "../shop.ts"

export * from "../solution.ts"

export const app = Layer.mergeAll(
  Layer.mergeAll(listOrders, placeOrder).pipe(Layer.provide(door.layer)),
  profile.pipe(Layer.provide(authenticated.layer))
)
