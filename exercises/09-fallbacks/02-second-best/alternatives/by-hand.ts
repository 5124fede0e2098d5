import { Cause, Data, Effect } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"

export class DatabaseAway extends Data.TaggedError("DatabaseAway")<{}> {}

export class Overloaded extends Data.TaggedError("Overloaded")<{}> {}

export class UnknownUser extends Data.TaggedError("UnknownUser")<{ readonly id: string }> {}

export class CacheMiss extends Data.TaggedError("CacheMiss")<{ readonly id: string }> {}

export type DatabaseFailure = DatabaseAway | Overloaded | UnknownUser

export interface User {
  readonly id: string
  readonly name: string
}

export interface Profile extends User {
  readonly source: "database" | "cache"
}

export type Database = (id: string) => Effect.Effect<User, DatabaseFailure>
export type Cache = (id: string) => Effect.Effect<User, CacheMiss>
export type Profiles = (
  id: string
) => Effect.Effect<Profile, DatabaseFailure | CacheMiss | CircuitBreaker.CircuitOpen>

const worthIt: ReadonlySet<string> = new Set(["DatabaseAway", "Overloaded", "CircuitOpen"])

export const makeProfiles = (database: Database, cache: Cache): Effect.Effect<Profiles> =>
  Effect.gen(function*() {
    const circuit = yield* CircuitBreaker.makeRef({
      name: "users",
      trip: CircuitBreaker.consecutive(3),
      breakDuration: "30 seconds"
    })
    return Effect.fnUntraced(function*(id: string) {
      const first = yield* Effect.exit(circuit.run(database(id), {
        classify: (exit) => {
          if (exit._tag === "Success") return "success"
          const [reason] = exit.cause.reasons
          return reason?._tag === "Fail" && reason.error._tag !== "UnknownUser" ? "failure" : "neutral"
        }
      }))
      if (first._tag === "Success") return { ...first.value, source: "database" as const }
      const { cause } = first
      const worth = cause.reasons.every((reason) => Cause.isFailReason(reason) && worthIt.has(reason.error._tag))
      if (!worth) return yield* Effect.failCause(cause)
      const second = yield* Effect.exit(cache(id))
      if (second._tag === "Success") return { ...second.value, source: "cache" as const }
      return yield* Effect.failCause(
        Cause.fromReasons<DatabaseFailure | CacheMiss | CircuitBreaker.CircuitOpen>([
          ...cause.reasons,
          ...second.cause.reasons
        ])
      )
    })
  })
