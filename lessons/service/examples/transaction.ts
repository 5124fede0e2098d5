/** Several commands as one unit, and several events as one append. */
import { Effect, Layer } from "effect"
import { Domain, Mediator } from "effect-lifecycle/domain"
import { EventStore, MemoryStore } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"
import { CreateUser, layer, RenameUser } from "./support/users.ts"

const program = Effect.gen(function*() {
  const events = yield* EventStore.EventStore
  const versions = Effect.map(
    Effect.forEach(["u-1", "u-2"], (id) => events.version({ category: "User", id })),
    (all) => all.join(" and ")
  )

  source("async with domain.transaction(): an error rolls it back (the package has no such method)")
  const unit = Effect.gen(function*() {
    yield* Mediator.send(CreateUser, { id: "u-1", name: "John Doe", email: "john@example.com" })
    yield* Mediator.send(RenameUser, { id: "u-2", name: "Jane Roe" })
  })
  const failure = yield* Effect.flip(Domain.transaction(unit))
  ours(`${failure._tag}; u-1 and u-2 are at versions ${yield* versions}`)

  yield* Domain.transaction(Effect.gen(function*() {
    yield* Mediator.send(CreateUser, { id: "u-2", name: "Jane Doe", email: "jane@example.com" })
    yield* unit
  }))
  ours(`the same with u-2 created first: they are at versions ${yield* versions}`)

  source("event_store.append_many(events): all events are stored or none (the package adds them one by one)")
  const results = yield* events.appendAll([
    { stream: { category: "Note", id: "n-1" }, expect: "noStream", events: [{ type: "Noted", data: {} }] },
    { stream: { category: "User", id: "u-1" }, expect: "noStream", events: [{ type: "Noted", data: {} }] }
  ])
  const noted = yield* events.version({ category: "Note", id: "n-1" })
  ours(`${results.map((result) => result._tag).join(" and ")}; n-1 is at version ${noted}`)
})

await Effect.runPromise(program.pipe(Effect.provide(Layer.provideMerge(layer(), MemoryStore.layer))))
