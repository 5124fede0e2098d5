/**
 * 06.4 The id that wandered
 *
 * In the log of `orders` each line has an id, and half of them have the wrong one: the order of Mrs Meier was received as
 * r-17, reserved as r-18 and answered as r-31. The id lies in a variable of the module. While one request waits, another one
 * begins and writes its own into it. A test with one request at a time sees nothing of that.
 *
 * A request is a fiber here. What belongs to it travels in the fiber's context: children inherit it, nobody else sees it, and
 * it is gone when the request is. The context ends where a promise begins: `Effect.runPromise` starts with an empty one.
 *
 * Do
 * 1. `request`: run the work under its id, so that `RequestId.Current` is the id and every line has it. `RequestId.provide`
 *    does both; the ids here are all good ones.
 * 2. `log`: write a line of the request that is running.
 * 3. `charge`: the bank calls back from a promise. The line that is written there belongs to the same request.
 * 4. `confirm`: the mail is sent after the answer, by a fiber that goes on when the request is over. Its line as well.
 *
 * `placeOrder` in `shop.ts` uses the four.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/06-middleware-and-ids/04-the-id-that-wandered/exercise.ts`.
 */
import { Effect } from "effect"
import { bank, journal, type Line, placeOrder } from "./shop.ts"

let current = "none"

/** Runs the work of one request. */
export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    current = id
    return work
  })

/** Writes a line of the running request. */
export const log = (message: string): Effect.Effect<void> =>
  Effect.suspend(() => Effect.annotateLogs(Effect.logInfo(message), { requestId: current }))

/** Charges the card. The bank calls back when the money is there. */
export const charge: Effect.Effect<string> = Effect.promise(() => bank.charge(() => Effect.runPromise(log("charged"))))

/** Sends the mail, later. */
export const confirm: Effect.Effect<unknown> = Effect.forkDetach(
  Effect.andThen(Effect.sleep("20 millis"), log("mailed"))
)

if (import.meta.main) {
  const lines: Array<Line> = []
  const order = (id: string, wait: number) => request(id, placeOrder({ request, log, charge, confirm }, [wait, wait]))
  const program = Effect.all([order("r-1", 10), order("r-2", 5)], { concurrency: 2 }).pipe(
    Effect.andThen(Effect.sleep("30 millis")),
    Effect.provide(journal(lines))
  )
  await Effect.runPromise(program)
  for (const line of lines) console.log(`${line.request_id ?? "no id"}  ${line.message}`)
}
