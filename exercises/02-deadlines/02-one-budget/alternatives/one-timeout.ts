// One timeout around everything; a cell that `call` writes its name into does the naming.
import { Context, Data, type Duration, Effect, Ref } from "effect"
import * as Deadline from "effect-lifecycle/request/Deadline"

export class OutOfTime extends Data.TaggedError("OutOfTime")<{ readonly call: string }> {}

const Running = Context.Reference<Ref.Ref<string> | undefined>("exercise/Running", { defaultValue: () => undefined })

export interface Services {
  readonly stock: Effect.Effect<string>
  readonly payment: Effect.Effect<string>
  readonly shipping: Effect.Effect<string>
}

export const within =
  (budget: Duration.Input) => <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | OutOfTime, R> =>
    Effect.gen(function*() {
      const running = (yield* Running) ?? (yield* Ref.make("nothing"))
      return yield* work.pipe(
        Effect.provideService(Running, running),
        Effect.timeoutOrElse({
          duration: budget,
          orElse: () => Effect.flatMap(Ref.get(running), (call) => Effect.fail(new OutOfTime({ call })))
        })
      )
    })

export const call = (name: string, work: Effect.Effect<string>): Effect.Effect<string, OutOfTime> =>
  Effect.gen(function*() {
    const running = yield* Running
    if (running !== undefined) yield* Ref.set(running, name)
    return yield* work
  })

export const placeOrder = (services: Services): Effect.Effect<ReadonlyArray<string>, OutOfTime> =>
  Effect.all([
    call("stock", services.stock),
    call("payment", services.payment),
    call("shipping", services.shipping)
  ]).pipe(within("5 seconds"))

export const placeOrderWithLibrary = (services: Services): Effect.Effect<ReadonlyArray<string>, OutOfTime> =>
  Effect.gen(function*() {
    const running = yield* Ref.make("nothing")
    const each = [["stock", services.stock], ["payment", services.payment], ["shipping", services.shipping]] as const
    return yield* Effect.forEach(each, ([name, work]) => Effect.andThen(Ref.set(running, name), work)).pipe(
      Deadline.within("5 seconds"),
      Effect.catch(() => Effect.flatMap(Ref.get(running), (call) => Effect.fail(new OutOfTime({ call }))))
    )
  })
