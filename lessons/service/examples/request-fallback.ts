/** A request handler with a second one behind it, and a circuit that stops asking the first. */
import { Cause, Effect, Predicate, Schema } from "effect"
import { Domain, Mediator, Query } from "effect-lifecycle/domain"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { ours, source } from "./support/say.ts"

class DatabaseUnavailable extends Schema.TaggedError<DatabaseUnavailable>()("DatabaseUnavailable", {}) {
  override get message(): string {
    return "Database unavailable"
  }
}
class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {}

const Profile = Query.make("profiles.ById", {
  payload: { id: Schema.String },
  success: Schema.Struct({ id: Schema.String, name: Schema.String, source: Schema.Literals(["primary", "fallback"]) }),
  error: Schema.Union([DatabaseUnavailable, UserNotFound])
})

const ran: Array<string> = []

const database = Domain.handler(Profile, ({ id }) =>
  Effect.suspend(() => {
    ran.push("primary")
    return Effect.fail(id === "nobody" ? new UserNotFound({ id }) : new DatabaseUnavailable())
  }))

const cache = Domain.handler(Profile, ({ id }, { failed }) =>
  Effect.sync(() => {
    const reason = failed === undefined ? undefined : Cause.squash(failed)
    ran.push(`fallback after ${Predicate.hasProperty(reason, "_tag") ? reason._tag : "a bug"}`)
    return { id, name: "Unknown User", source: "fallback" as const }
  }))

const program = Effect.gen(function*() {
  const breaker = yield* CircuitBreaker.make({
    name: "requests",
    trip: CircuitBreaker.consecutive(2),
    breakDuration: "60 seconds"
  })
  const layer = Domain.toLayer([
    Domain.withFallback(database, { fallback: cache, on: ["DatabaseUnavailable"], breaker })
  ])
  const profile = (id: string) => Mediator.query(Profile, { id }).pipe(Effect.provide(layer))

  source("Handlers that ran (in order): ['primary', 'fallback']")
  source("Response: user_id=user_42, name=Unknown User, source=fallback")
  const answer = yield* profile("user_42")
  ours(`handlers that ran: ${ran.splice(0).join(", ")}`)
  ours(`answer: ${answer.id}, ${answer.name}, from the ${answer.source}`)

  source("the call that opens the circuit falls back on any exception, listed or not")
  const failed = yield* Effect.flip(profile("nobody"))
  ours(`${failed._tag} is not in the list and comes through, after ${ran.splice(0).join(", ")}`)

  source("after fail_max failures the fallback runs without the primary")
  yield* profile("user_42")
  ours(ran.splice(0).join(", "))
})

await Effect.runPromise(program)
