/** The six steps of a query: it reads the current state, and no event. */
import { Effect, Layer } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { MemoryStore, StateStore } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"
import { CreateUser, layer, UserById, users } from "./support/users.ts"

const program = Effect.gen(function*() {
  yield* Mediator.send(CreateUser, { id: "u-1", name: "John Doe", email: "john@example.com" })
  yield* Mediator.send(CreateUser, { id: "u-2", name: "Jane Doe", email: "jane@example.com" })

  source("statemgr.fetch('user', user_id) answers { id, name, email, active: True }")
  ours(`users.ById answered ${JSON.stringify(yield* Mediator.query(UserById, { id: "u-1" }))}`)

  source("the state store is indexed for fast queries")
  const states = yield* StateStore.StateStore
  const page = yield* states.query(users, { where: { email: "jane@example.com" }, limit: 10 })
  ours(`by the index on email: ${page.rows.map((row) => row.id).join(", ")}`)
  const scan = yield* Effect.flip(states.query(users, { where: { name: "Jane Doe" } }))
  ours(`by the name, which has no index: ${scan._tag}`)
})

await Effect.runPromise(program.pipe(Effect.provide(Layer.provideMerge(layer(), MemoryStore.layer))))
