// fails: b - gives the method as the reason for everything
import type { Answer, operations } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof operations]: Answer } = {
  readOrder: { twice: "safe", because: "method" },
  searchOrders: { twice: "safe", because: "method" },
  moveUser: { twice: "idempotent", because: "method" },
  removeOrder: { twice: "idempotent", because: "method" },
  placeOrder: { twice: "neither", because: "method" },
  charge: { twice: "idempotent", because: "method" },
  chargeOldSystem: { twice: "neither", because: "method" },
  confirm: { twice: "neither", because: "method" },
  cancel: { twice: "idempotent", because: "method" },
  thank: { twice: "neither", because: "method" }
}
