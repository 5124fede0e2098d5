// fails: a - takes "the same state as after the first time" for "nothing changed"
import type { Answer, operations } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof operations]: Answer } = {
  readOrder: { twice: "safe", because: "method" },
  searchOrders: { twice: "safe", because: "effect" },
  moveUser: { twice: "safe", because: "method" },
  removeOrder: { twice: "safe", because: "method" },
  placeOrder: { twice: "neither", because: "method" },
  charge: { twice: "idempotent", because: "key" },
  chargeOldSystem: { twice: "neither", because: "method" },
  confirm: { twice: "neither", because: "effect" },
  cancel: { twice: "safe", because: "effect" },
  thank: { twice: "neither", because: "effect" }
}
