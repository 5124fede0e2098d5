/**
 * 02.2 One budget, three calls
 *
 * Whoever places an order is promised an answer within 5 seconds. `placeOrder` makes three calls, one after the other, and
 * gives each of them 5 seconds: a slow day keeps the customer waiting for up to 15. A timeout is a length, and it starts
 * anew with every call. A deadline is a point in time, and it stays where it is.
 *
 * Do
 * 1. `within(budget)(work)`: remember in `AnswerBy` when the answer is due. Time comes from Effect's `Clock`. In a generator
 *    `yield* AnswerBy` reads it; `Effect.provideService(work, AnswerBy, due)` sets it for `work` and all that is inside.
 * 2. `call(name, work)`: give the work what is left until then, and fail with `OutOfTime` when nothing is.
 * 3. A deadline that is already there may be the earlier one. Then it stays.
 * 4. `placeOrderWithLibrary`: the same with `Deadline.within` from `effect-lifecycle/request`, which also keeps what is
 *    left where each service can read it (`Deadline.remaining`) and hand it on. Map its error to `OutOfTime`,
 *    which names the call that was running.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/02-deadlines/02-one-budget/exercise.ts`.
 */
import { Clock, Context, Data, type Duration, Effect } from "effect"

/** The answer was due before this call had one. */
export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}

/** When the answer is due, in milliseconds of the `Clock`; `undefined` where nobody set a limit. */
export const AnswerBy = Context.Reference<number | undefined>("exercise/AnswerBy", { defaultValue: () => undefined })

/** The services an order needs. */
export interface Services {
  readonly stock: Effect.Effect<string>
  readonly payment: Effect.Effect<string>
  readonly shipping: Effect.Effect<string>
}

/** Gives `work` a budget of time. */
export const within = (_budget: Duration.Input) => <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  work

/** Makes one call, in the time that is left. */
export const call = (name: string, work: Effect.Effect<string>): Effect.Effect<string, OutOfTime> =>
  work.pipe(
    Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.fail(new OutOfTime({ call: name })) })
  )

/** Answers within 5 seconds. */
export const placeOrder = (services: Services): Effect.Effect<ReadonlyArray<string>, OutOfTime> =>
  Effect.all([
    call("stock", services.stock),
    call("payment", services.payment),
    call("shipping", services.shipping)
  ]).pipe(within("5 seconds"))

/** Answers within 5 seconds, with the library's `Deadline`. */
export const placeOrderWithLibrary = (services: Services): Effect.Effect<ReadonlyArray<string>, OutOfTime> =>
  Effect.all([services.stock, services.payment, services.shipping])

if (import.meta.main) {
  const slow = (name: string) => Effect.as(Effect.sleep("300 millis"), name)
  const services = { stock: slow("reserved"), payment: slow("paid"), shipping: slow("sent") }
  const program = Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const answer = yield* placeOrder(services).pipe(
      within("500 millis"),
      Effect.catchTag("OutOfTime", (late) => Effect.succeed(`out of time at ${late.call}`))
    )
    console.log(`An order with 500 ms to spare: ${answer}, after ${(yield* Clock.currentTimeMillis) - start} ms`)
  })
  await Effect.runPromise(program)
}
