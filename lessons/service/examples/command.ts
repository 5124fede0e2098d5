/** The ten steps of a command: from the payload to the event, the state and the answer. */
import { Effect, Layer, Option, Stream } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { EventStore, MemoryStore, StateStore } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"
import { CreateUser, layer, users } from "./support/users.ts"

const program = Effect.gen(function*() {
  source("a command 'create-user' goes to the aggregate's action, and the answer is { id, name, email }")
  const user = yield* Mediator.send(CreateUser, { id: "u-1", name: "John Doe", email: "john@example.com" })
  ours(`users.Create answered ${JSON.stringify(user)}`)

  source(
    "event 'user-created' is generated with key, payload, timestamp and aggregate id, and appended to the event log"
  )
  const events = yield* EventStore.EventStore
  yield* events.read({ category: "User", id: "u-1" }).pipe(
    Stream.runForEach((event) =>
      Effect.sync(() => ours(`event ${event.version} of User/u-1 is ${event.type} ${JSON.stringify(event.data)}`))
    )
  )

  source(
    "state_store.update('user', user_id, new_state) is the next step (the package commits the two one after the other)"
  )
  const states = yield* StateStore.StateStore
  const row = yield* states.get(users, "u-1")
  if (Option.isSome(row)) ours(`the state is ${JSON.stringify(row.value.state)} at version ${row.value.version}`)
})

await Effect.runPromise(program.pipe(Effect.provide(Layer.provideMerge(layer(), MemoryStore.layer))))
