import { Effect } from "effect"
import * as ClientStack from "effect-lifecycle/client/ClientStack"
import { HttpClient, HttpClientResponse } from "effect/http"
import { Aggregate, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
import { Diagnosis, Stage } from "effect-lifecycle/lifecycle"
import type { Deadline } from "effect-lifecycle/request/Deadline"
import * as RequestId from "effect-lifecycle/request/RequestId"
import { RetrySchedule } from "effect-lifecycle/resilience"
import { EventStore, MemoryStore } from "effect-lifecycle/store"
import * as root from "effect-lifecycle"
import { Layer, Schema } from "effect"

export type Unused = Deadline

const same = (seen: unknown, expected: unknown) => {
  if (seen !== expected) throw new Error(`expected ${String(expected)}, got ${String(seen)}`)
}
same(Stage.all.length, 15)
same(Diagnosis.fromUnknown({ code: "ENOTFOUND" }).verdict, "Dns")
same("Deadline" in root && "CircuitBreaker" in root && "MemoryStore" in root, true)

const Add = Command.make("counters.Add", {
  payload: { id: Schema.String, by: Schema.Int },
  success: Schema.Int,
  aggregateId: (payload) => payload.id
})
const Added = DomainEvent.make("Added", { schema: { by: Schema.Int } })
const Counter = Aggregate.make({
  name: "Counter",
  state: Schema.Struct({ total: Schema.Int }),
  initial: { total: 0 },
  commands: [Add],
  events: [Added],
  decide: { "counters.Add": (_state, { by }) => Effect.succeed([Added.make({ by })]) },
  evolve: { Added: (state, { by }) => ({ total: state.total + by }) }
})
const counters = Domain.toLayer([Domain.aggregateHandler(Add, Counter, { reply: (state) => state.total })])
const program = Effect.gen(function*() {
  const id = yield* RequestId.generate
  yield* Mediator.send(Add, { id: "c", by: 2 }).pipe(
    RequestId.provide(id),
    Effect.retry(RetrySchedule.make({ attempts: 2 }))
  )
  return yield* EventStore.EventStore.use((store) => store.version({ category: "Counter", id: "c" }))
})
const version = await Effect.runPromise(program.pipe(Effect.provide(Layer.provideMerge(counters, MemoryStore.layer))))
same(version, 1)

const transport = HttpClient.make((request) =>
  Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status: 204 })))
)
const client = transport.pipe(ClientStack.make({ baseUrl: "http://users.internal", serviceName: "lean" }))
same((await Effect.runPromise(client.get("/users/1"))).status, 204)
console.log(
  "with only effect installed: lifecycle, request, resilience, the client stack, store and domain import, type-check and run"
)
