// fails: b - lets all shops share a circuit
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

type Failure = Down | CircuitBreaker.CircuitOpen

/** One attempt, in whatever step. */
class Attempt extends Context.Service<Attempt, {
  readonly run: Effect.Effect<Served, Failure>
}>()("exercise/Attempt") {}

export const make = (shops: Shops): Effect.Effect<Page> =>
  Effect.gen(function*() {
    const circuits = yield* CircuitBreaker.make({
      name: "shops",
      trip: CircuitBreaker.consecutive(3),
      breakDuration: "10 seconds"
    })
    const from = ({ name, offer }: Shop["Service"]): Effect.Effect<Served, Failure> =>
      Effect.map(offer, (offer) => ({ offer, served: name }))
    const guarded = (shop: Shop["Service"]) => circuits.run("shop", from(shop))
    const step = (run: Effect.Effect<Served, Failure>) => Layer.succeed(Attempt, { run })

    const offers = ExecutionPlan.make(
      {
        provide: step(guarded(shops.live)),
        attempts: 2,
        schedule: Schedule.spaced("100 millis"),
        while: (failure: Failure) => failure._tag === "Down"
      },
      { provide: step(guarded(shops.cache)) },
      { provide: step(from(shops.standard)) }
    )
    const lists = ExecutionPlan.make(
      { provide: Layer.succeed(Shop, shops.live) },
      { provide: Layer.succeed(Shop, shops.cache) },
      { provide: Layer.succeed(Shop, shops.standard) }
    )
    const read = Effect.flatMap(Attempt, ({ run }) => run)
    const list = Stream.unwrap(Effect.map(Shop, (shop) => shop.list))
    return {
      offer: Fallback.plan(read, offers, { name: "offer" }),
      list: (mode) => Fallback.planStream(list, lists, { name: "offers", mode })
    }
  })
