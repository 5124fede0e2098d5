/**
 * 04.3 Remember the answer
 *
 * The clients of `payments` send a key with every order, the same one when they repeat. `payments` does not look at it yet.
 * A key is worth something only when the server remembers what it has said.
 *
 * Remembering has two parts. `Records` is where keys and answers are kept; yours are in memory, the shape is that of the
 * library, where they are a table. `remember` stands before the handler and asks them.
 *
 * Do
 * 1. `makeRecords`. `claim` says `Claimed` with a new token to the first, `InProgress` while that one works, `Completed`
 *    with the answer afterwards, and `Mismatch` when the key came with another `fingerprint`. A claim holds for `lease`, then
 *    somebody else may have it; an answer is kept for `timeToLive`, counted from the claim. `complete` gives `false` to
 *    whoever has lost the claim, and changes nothing then; `release` frees only one's own claim.
 * 2. `remember`: the handler runs once for each key of each user. The same request again gets the same status, headers and
 *    body, and `idempotency-replayed: true` with them. The same key with another body is 422; one whose first request still
 *    runs is 409 with `retry-after: 1`. Lease 90 seconds, time to live 24 hours.
 * 3. A status of 500 and more is not kept, nor is a failure, a defect or an interruption: the key is free again.
 * 4. Your records also stand behind the library's server. There is nothing more to write for that, if the shape is kept.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/04-repeating-safely/03-remember-the-answer/exercise.ts`.
 */
import { Effect } from "effect"
import type { Idempotency } from "effect-lifecycle/server"

/** Where keys and answers are kept. */
export type Records = Idempotency.IdempotencyRecords["Service"]

/** One order. */
export interface Request {
  readonly user: string
  readonly key: string
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Charges an order. */
export type Handler = (request: Request) => Effect.Effect<Answer, Error>

/** Records in memory. */
export const makeRecords: Effect.Effect<Records> = Effect.sync(() => {
  let tokens = 0
  return {
    claim: () => Effect.sync(() => ({ _tag: "Claimed", token: String(++tokens) })),
    complete: () => Effect.succeed(true),
    release: () => Effect.void
  }
})

/** The handler, once for each key. */
export const remember = (_records: Records, handler: Handler): Handler => handler

if (import.meta.main) {
  const program = Effect.gen(function*() {
    let charged = 0
    const charge: Handler = () =>
      Effect.sync(() => ({ status: 201, headers: { location: `/payments/${++charged}` }, body: "charged" }))
    const handler = remember(yield* makeRecords, charge)
    for (let n = 0; n < 3; n++) {
      const { headers, status } = yield* handler({ user: "alice", key: "order-42", body: "12 euros" })
      console.log(status, headers)
    }
    console.log(`the order was charged ${charged} times`)
  })
  await Effect.runPromise(program)
}
