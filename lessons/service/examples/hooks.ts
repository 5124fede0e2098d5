/** The four hooks of a command, and the transaction between them. */
import { Deferred, Effect, Exit, Layer } from "effect"
import { DomainError, type Hooks, Mediator } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"
import { CreateUser, layer } from "./support/users.ts"

const note = (text: string) => Effect.sync(() => ours(text))

const answered = Deferred.makeUnsafe<void>()
const heard = Deferred.makeUnsafe<void>()

const hooks: Hooks.Hooks = {
  beforeCommand: (command) => note(`beforeCommand ${command.name}`),
  beforeStore: (_command, events) => {
    const names = events.map((event) => event._tag).join(", ")
    return Effect.andThen(
      note(`beforeStore ${names}`),
      JSON.stringify(events).includes("example.org")
        ? new DomainError.Refused({ name: "beforeStore", reason: "example.org is not ours" })
        : Effect.void
    )
  },
  // Nobody waits for this hook. It waits for the caller here, so that the lines come in one order.
  afterStore: (_command, events) =>
    Deferred.await(answered).pipe(
      Effect.andThen(note(`afterStore ${events.map((event) => `${event.type} ${event.version}`).join(", ")}`)),
      Effect.andThen(Deferred.succeed(heard, undefined))
    ),
  afterCommand: (command, exit) => note(`afterCommand ${command.name} ${Exit.isSuccess(exit) ? "succeeded" : "failed"}`)
}

const program = Effect.gen(function*() {
  source(
    "before_process_command, before_store_event, after_store_event, after_process_command (the package has none of them)"
  )
  yield* Mediator.send(CreateUser, { id: "u-1", name: "John Doe", email: "john@example.com" })
  ours("the caller has the answer")
  yield* Deferred.succeed(answered, undefined)
  yield* Deferred.await(heard)

  source("before_store_event may validate the event; what a refusal leaves behind is not said")
  const refused = yield* Effect.flip(
    Mediator.send(CreateUser, { id: "u-2", name: "Jane Doe", email: "jane@example.org" })
  )
  ours(`${refused._tag}, and nothing of it was kept`)
})

await Effect.runPromise(program.pipe(Effect.provide(layer({ hooks: [hooks] }).pipe(Layer.provide(MemoryStore.layer)))))
