// fails: b - counts the user, but leaves the meter by the address where it was as well
import { Layer } from "effect"
import { HttpRouter } from "effect/http"
import { metered as byAddress } from "../exercise.ts"
import { door } from "../solution.ts"
import { listOrders, placeOrder, profile } from "../shop.ts"

export * from "../solution.ts"

export const app: Layer.Layer<never, never, Layer.Services<typeof byAddress.layer> | HttpRouter.HttpRouter> = Layer
  .mergeAll(listOrders, placeOrder, profile)
  .pipe(Layer.provide(door.combine(byAddress).layer)) as never
