/** A stream that breaks after two items, and the four answers to what comes next. */
import { Effect, Schema, Stream } from "effect"
import { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"
import { ours, source } from "./support/say.ts"

class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {}) {}

interface Item {
  readonly id: string
  readonly from: "primary" | "fallback"
}

const ids = ["a", "b", "c", "d"]
const item = (from: Item["from"]) => (id: string): Item => ({ id, from })

let runs = 0
const live = Stream.suspend(() => {
  runs++
  return Stream.concat(Stream.make("a", "b").pipe(Stream.map(item("primary"))), Stream.fail(new ConnectionLost()))
})
const cached = (from = 0) => Stream.fromIterable(ids.slice(from).map(item("fallback")))

const told = <E>(stream: Stream.Stream<Item, E>) =>
  Stream.runCollect(stream).pipe(
    Effect.map((items) => items.map(({ from, id }) => `${id} (${from})`).join(", ")),
    Effect.orElseSucceed(() => "the failure stands")
  )

const program = Effect.gen(function*() {
  source("a (primary), b (primary), a (fallback), b (fallback), c (fallback), d (fallback); there is no other mode")
  ours(`restart: ${yield* told(Fallback.stream(live, { mode: "restart", fallback: () => cached() }))}`)
  const dedupe = { dedupeBy: (one: Item) => one.id }
  ours(`dedupeBy id: ${yield* told(Fallback.stream(live, { mode: dedupe, fallback: () => cached() }))}`)
  const resumed = Fallback.stream(live, { mode: "resume", fallback: ({ delivered }) => cached(delivered) })
  ours(`resume: ${yield* told(resumed)}`)
  ours(`fail: ${yield* told(Fallback.stream(live, { mode: "fail", fallback: () => cached() }))}`)

  source("a circuit breaker may be given; with fail_max 1, three streams run the primary three times")
  const breaker = yield* CircuitBreaker.make({
    name: "streams",
    trip: CircuitBreaker.consecutive(1),
    breakDuration: "30 seconds"
  })
  const guarded = Fallback.stream(live, { name: "items.live", mode: "restart", fallback: () => cached(), breaker })
  runs = 0
  yield* Effect.forEach([1, 2, 3], () => Stream.runDrain(guarded))
  ours(`three streams ran the primary ${runs === 1 ? "once" : `${runs} times`}`)
})

await Effect.runPromise(program)
