// fails: a - judges by the second answer, not by the state
import type { Answer, operations } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof operations]: Answer } = {
  readOrder: { twice: "safe", because: "method" },
  searchOrders: { twice: "safe", because: "effect" },
  moveUser: { twice: "idempotent", because: "method" },
  removeOrder: { twice: "neither", because: "effect" },
  placeOrder: { twice: "neither", because: "method" },
  charge: { twice: "idempotent", because: "key" },
  chargeOldSystem: { twice: "neither", because: "method" },
  confirm: { twice: "neither", because: "effect" },
  cancel: { twice: "idempotent", because: "effect" },
  thank: { twice: "neither", because: "effect" }
}
