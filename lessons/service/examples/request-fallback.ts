/** A request handler with a second one behind it, and a circuit that stops asking the first. */
import { Effect, Schema } from "effect"
import { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"
import { ours, source } from "./support/say.ts"

class DatabaseUnavailable extends Schema.TaggedError<DatabaseUnavailable>()("DatabaseUnavailable", {}) {
  override get message(): string {
    return "Database unavailable"
  }
}
class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {}

interface Profile {
  readonly id: string
  readonly name: string
  readonly source: "primary" | "fallback"
}

const ran: Array<string> = []

const database: Fallback.Handler<string, Profile, DatabaseUnavailable | UserNotFound> = {
  name: "profiles.database",
  handle: (id) =>
    Effect.suspend(() => {
      ran.push("primary")
      return Effect.fail(id === "nobody" ? new UserNotFound({ id }) : new DatabaseUnavailable())
    })
}

const program = Effect.gen(function*() {
  const breaker = yield* CircuitBreaker.make({
    name: "requests",
    trip: CircuitBreaker.consecutive(2),
    breakDuration: "60 seconds"
  })
  const profile = Fallback.handler({
    primary: database,
    fallback: {
      name: "profiles.cache",
      handle: (id, cause): Effect.Effect<Profile> =>
        Effect.sync(() => {
          const [reason] = cause.reasons
          ran.push(`fallback after ${reason?._tag === "Fail" ? reason.error._tag : "a bug"}`)
          return { id, name: "Unknown User", source: "fallback" }
        })
    },
    on: ["DatabaseUnavailable"],
    breaker
  })

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
