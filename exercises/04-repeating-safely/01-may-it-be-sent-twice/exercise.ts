/**
 * 04.1 May it be sent twice?
 *
 * Ten requests of the shop were sent, and no answer came. Each may have arrived or not. Whoever sends one again must know
 * what a second arrival does, and there are three answers:
 *   safe        it changes nothing, however often it arrives: nobody can tell whether it was sent at all
 *   idempotent  it changes something, and a second arrival leaves the same state as the first
 *   neither     a second arrival does something more
 *
 * Three things can decide that, and the strongest one does. A key beats the effect, and the effect beats the method:
 *   method   what RFC 9110 says of the method, and the operation keeps to it
 *   effect   what the operation does, where its method promises something else, or nothing
 *   key      an idempotency key that the receiver keeps, with the answer
 *
 * Do: fill in `answers`. `does` is to be believed: it was read in the code of the receiver.
 *
 * Check: `npm run learn`. Look: `npx tsx workspace/04-repeating-safely/01-may-it-be-sent-twice/exercise.ts`. It
 * also shows how often the library would send each of them, knowing the method and the key and nothing else.
 */
import { Effect } from "effect"
import { RequestStrategy } from "effect-lifecycle/resilience"

/** A request of the shop. */
export interface Operation {
  readonly method: string
  readonly path: string
  /** It carries an `Idempotency-Key`. */
  readonly key: boolean
  /** What the receiver does with it. */
  readonly does: string
}

export const operations = {
  readOrder: { method: "GET", path: "/orders/42", key: false, does: "reads the order" },
  searchOrders: {
    method: "POST",
    path: "/orders/search",
    key: false,
    does: "reads the orders that the filter in the body fits; POST because the filter is too long for a URL"
  },
  moveUser: { method: "PUT", path: "/users/7/address", key: false, does: "replaces the whole address by the body" },
  removeOrder: {
    method: "DELETE",
    path: "/orders/42",
    key: false,
    does: "removes the order; a second time it says 404"
  },
  placeOrder: { method: "POST", path: "/orders", key: false, does: "adds an order under the next number" },
  charge: {
    method: "POST",
    path: "/payments",
    key: true,
    does: "charges the card, and keeps the key with the answer for a day; the key again gets the kept answer"
  },
  chargeOldSystem: {
    method: "POST",
    path: "/legacy/payments",
    key: true,
    does: "charges the card; the old system reads no header that it does not know"
  },
  confirm: { method: "GET", path: "/orders/42/confirm", key: false, does: "sends the customer an e-mail each time" },
  cancel: { method: "PATCH", path: "/orders/42", key: false, does: "sets the order's status to \"cancelled\"" },
  thank: {
    method: "PUT",
    path: "/users/7/points",
    key: false,
    does: "adds the points in the body to those on the account"
  }
} satisfies Record<string, Operation>

/** What a second arrival does, and what decides it. */
export interface Answer {
  readonly twice: "safe" | "idempotent" | "neither" | "todo"
  readonly because: "method" | "effect" | "key" | "todo"
}

export const answers: { readonly [name in keyof typeof operations]: Answer } = {
  readOrder: { twice: "todo", because: "todo" },
  searchOrders: { twice: "todo", because: "todo" },
  moveUser: { twice: "todo", because: "todo" },
  removeOrder: { twice: "todo", because: "todo" },
  placeOrder: { twice: "todo", because: "todo" },
  charge: { twice: "todo", because: "todo" },
  chargeOldSystem: { twice: "todo", because: "todo" },
  confirm: { twice: "todo", because: "todo" },
  cancel: { twice: "todo", because: "todo" },
  thank: { twice: "todo", because: "todo" }
}

if (import.meta.main) {
  const twice = RequestStrategy.sequential({ attempts: 2, delay: 0 })
  for (const [name, { does, key, method, path }] of Object.entries(operations)) {
    let sent = 0
    const noAnswer = Effect.suspend(() => Effect.fail(`no answer to attempt ${++sent}`))
    await Effect.runPromiseExit(twice.run(() => noAnswer, { method, hasIdempotencyKey: key }))
    console.log(`\n${name}: ${method} ${path}${key ? " with a key" : ""}\n  ${does}\n  the library sends it ${sent}x`)
  }
  const open = Object.values(answers).filter((answer) => answer.twice === "todo" || answer.because === "todo")
  console.log(`\n${open.length} of ${Object.keys(answers).length} answers are still to be filled in.`)
}
