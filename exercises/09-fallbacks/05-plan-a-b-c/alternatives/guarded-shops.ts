import { Context, Data, Effect, ExecutionPlan, Layer, Schedule, Stream } from "effect"
import { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"

export class Down extends Data.TaggedError("Down")<{ readonly shop: string }> {}

export class Shop extends Context.Service<Shop, {
  readonly name: string
  readonly offer: Effect.Effect<string, Down>
  readonly list: Stream.Stream<string, Down>
}>()("exercise/Shop") {}

export interface Shops {
  readonly live: Shop["Service"]
  readonly cache: Shop["Service"]
  readonly standard: Shop["Service"]
}

export interface Served {
  readonly offer: string
  readonly served: string
}

export interface Page {
  readonly offer: Effect.Effect<Served, Down | CircuitBreaker.CircuitOpen>
  readonly list: (mode: "fail" | "restart") => Stream.Stream<string, Down>
}

/** A shop with something in front of its offers: a circuit, or nothing. */
class Counter extends Context.Service<Counter, {
  readonly shop: Shop["Service"]
  readonly guard: <A, E>(attempt: Effect.Effect<A, E>) => Effect.Effect<A, E | CircuitBreaker.CircuitOpen>
}>()("exercise/Counter") {
  static readonly guarded = (shop: Shop["Service"]): Layer.Layer<Counter> =>
    Layer.effect(
      Counter,
      Effect.map(
        CircuitBreaker.makeRef({
          name: shop.name,
          trip: CircuitBreaker.consecutive(3),
          breakDuration: "10 seconds"
        }),
        (circuit) => ({ shop, guard: (attempt) => circuit.run(attempt) })
      )
    )

  static readonly open = (shop: Shop["Service"]): Layer.Layer<Counter> =>
    Layer.succeed(Counter, { shop, guard: (attempt) => attempt })
}

const read = Effect.gen(function*() {
  const { guard, shop } = yield* Counter
  return { offer: yield* guard(shop.offer), served: shop.name }
})

const list = Stream.unwrap(Effect.map(Shop, (shop) => shop.list))

export const make = ({ cache, live, standard }: Shops): Effect.Effect<Page> =>
  Effect.gen(function*() {
    // The circuits are built once, here: a plan builds its layers anew for every read.
    const built = (layer: Layer.Layer<Counter>) => Effect.provide(Effect.map(Counter, (counter) => counter), layer)
    const [first, second, third] = yield* Effect.all([
      built(Counter.guarded(live)),
      built(Counter.guarded(cache)),
      built(Counter.open(standard))
    ])
    const offers = ExecutionPlan.make(
      {
        provide: Layer.succeed(Counter, first),
        attempts: 2,
        schedule: Schedule.fixed("100 millis"),
        while: (failure: Down | CircuitBreaker.CircuitOpen) => failure instanceof Down
      },
      { provide: Layer.succeed(Counter, second) },
      { provide: Layer.succeed(Counter, third) }
    )
    const sells = (shop: Shop["Service"]) => ({ provide: Layer.succeed(Shop, shop) })
    const lists = ExecutionPlan.make(sells(live), sells(cache), sells(standard))
    return {
      offer: Fallback.plan(read, offers, { name: "offer of the day" }),
      list: (mode) => Fallback.planStream(list, lists, { name: "offers of the day", mode })
    }
  })
