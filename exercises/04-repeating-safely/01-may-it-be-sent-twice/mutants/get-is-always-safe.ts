// fails: a - believes the method more than the operation
import type { Answer, operations } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof operations]: Answer } = {
  readOrder: { twice: "safe", because: "method" },
  searchOrders: { twice: "safe", because: "effect" },
  moveUser: { twice: "idempotent", because: "method" },
  removeOrder: { twice: "idempotent", because: "method" },
  placeOrder: { twice: "neither", because: "method" },
  charge: { twice: "idempotent", because: "key" },
  chargeOldSystem: { twice: "neither", because: "method" },
  confirm: { twice: "safe", because: "method" },
  cancel: { twice: "idempotent", because: "effect" },
  thank: { twice: "neither", because: "effect" }
}
