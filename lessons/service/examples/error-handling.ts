/** Errors are values with a type: each caller sees in the signature what can go wrong. */
import { Effect, Layer } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"
import { CreateUser, layer, UserById } from "./support/users.ts"

const program = Effect.gen(function*() {
  source("the action raises ValueError(\"Invalid email\"); except ValueError as e returns { \"error\": str(e) }")
  const invalid = yield* Mediator.send(CreateUser, { id: "u-1", name: "", email: "nowhere" }).pipe(Effect.flip)
  if (invalid._tag === "InvalidPayload") {
    for (const issue of invalid.issues) ours(`InvalidPayload at ${issue.pointer}`)
  }

  source("except ValueError also catches what is a bug (the package answers every ValueError with 400 and its message)")
  yield* Mediator.send(CreateUser, { id: "u-1", name: "John Doe", email: "john@example.com" })
  const answer = yield* Mediator.send(CreateUser, { id: "u-1", name: "John Doe", email: "john@example.com" }).pipe(
    Effect.as("created"),
    Effect.catchTag("NameTaken", (error) => Effect.succeed(error.message))
  )
  ours(answer)

  source("except NotFoundError raises HTTPException(status_code=404, detail=\"User not found\")")
  const missing = yield* Mediator.query(UserById, { id: "u-9" }).pipe(Effect.flip)
  ours(`${missing._tag}: ${missing.message}`)
})

await Effect.runPromise(program.pipe(Effect.provide(layer().pipe(Layer.provide(MemoryStore.layer)))))
