// fails: e - gives the library's deadline to each call anew
import { Clock, Context, Data, Duration, Effect } from "effect"
import * as Deadline from "effect-lifecycle/request/Deadline"

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}

export const AnswerBy = Context.Reference<number | undefined>("exercise/AnswerBy", { defaultValue: () => undefined })

export interface Services {
  readonly stock: Effect.Effect<string>
  readonly payment: Effect.Effect<string>
  readonly shipping: Effect.Effect<string>
}

export const within = (budget: Duration.Input) => <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const mine = (yield* Clock.currentTimeMillis) + Duration.toMillis(budget)
    const outer = yield* AnswerBy
    return yield* Effect.provideService(work, AnswerBy, outer === undefined ? mine : Math.min(outer, mine))
  })

export const call = (name: string, work: Effect.Effect<string>): Effect.Effect<string, OutOfTime> =>
  Effect.gen(function*() {
    const by = yield* AnswerBy
    if (by === undefined) return yield* work
    const left = by - (yield* Clock.currentTimeMillis)
    if (left <= 0) return yield* new OutOfTime({ call: name })
    return yield* work.pipe(
      Effect.timeoutOrElse({ duration: left, orElse: () => Effect.fail(new OutOfTime({ call: name })) })
    )
  })

export const placeOrder = (services: Services): Effect.Effect<ReadonlyArray<string>, OutOfTime> =>
  Effect.all([
    call("stock", services.stock),
    call("payment", services.payment),
    call("shipping", services.shipping)
  ]).pipe(within("5 seconds"))

export const placeOrderWithLibrary = (services: Services): Effect.Effect<ReadonlyArray<string>, OutOfTime> =>
  Effect.gen(function*() {
    let running = "stock"
    const named = (name: string, work: Effect.Effect<string>) =>
      Effect.suspend(() => {
        running = name
        return Deadline.within(work, "5 seconds")
      })
    return yield* Effect.all([
      named("stock", services.stock),
      named("payment", services.payment),
      named("shipping", services.shipping)
    ]).pipe(
      Effect.catchTag("DeadlineExceeded", () => Effect.fail(new OutOfTime({ call: running })))
    )
  })
