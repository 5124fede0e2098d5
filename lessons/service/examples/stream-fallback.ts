/** A stream that breaks after two items, and the four answers to what comes next. */
import { Effect, Schema, Stream } from "effect"
import { Domain, Mediator, Query } from "effect-lifecycle/domain"
import { CircuitBreaker, type Fallback } from "effect-lifecycle/resilience"
import { ours, source } from "./support/say.ts"

class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {}) {}

const Item = Schema.Struct({ id: Schema.String, from: Schema.Literals(["primary", "fallback"]) })
type Item = typeof Item.Type
const Items = Query.stream("items.All", { success: Item, error: ConnectionLost })

const ids = ["a", "b", "c", "d"]
const item = (from: Item["from"]) => (id: string): Item => ({ id, from })

let runs = 0
const live = Domain.streamHandler(Items, () => {
  runs++
  return Stream.concat(Stream.make("a", "b").pipe(Stream.map(item("primary"))), Stream.fail(new ConnectionLost()))
})
const cached = Domain.streamHandler(Items, () => Stream.fromIterable(ids.map(item("fallback"))))
const rest = Domain.streamHandler(
  Items,
  (_, broken) => Stream.fromIterable(ids.slice(broken?.delivered ?? 0).map(item("fallback")))
)

const told = (handler: Domain.StreamHandler<"items.All", never>) =>
  Stream.runCollect(Mediator.stream(Items, undefined)).pipe(
    Effect.map((items) => items.map(({ from, id }) => `${id} (${from})`).join(", ")),
    Effect.orElseSucceed(() => "the failure stands"),
    Effect.provide(Domain.toLayer([handler]))
  )

const withMode = (mode: Fallback.Mode<Item>, fallback = cached) =>
  told(Domain.withStreamFallback(live, { mode, fallback }))

const program = Effect.gen(function*() {
  source("a (primary), b (primary), a (fallback), b (fallback), c (fallback), d (fallback); there is no other mode")
  ours(`restart: ${yield* withMode("restart")}`)
  ours(`dedupeBy id: ${yield* withMode({ dedupeBy: (one) => one.id })}`)
  ours(`resume: ${yield* withMode("resume", rest)}`)
  ours(`fail: ${yield* withMode("fail")}`)

  source("a circuit breaker may be given; with fail_max 1, three streams run the primary three times")
  const breaker = yield* CircuitBreaker.make({
    name: "streams",
    trip: CircuitBreaker.consecutive(1),
    breakDuration: "30 seconds"
  })
  const guarded = Domain.withStreamFallback(live, { mode: "restart", fallback: cached, breaker })
  runs = 0
  yield* Effect.forEach([1, 2, 3], () => told(guarded))
  ours(`three streams ran the primary ${runs === 1 ? "once" : `${runs} times`}`)
})

await Effect.runPromise(program)
