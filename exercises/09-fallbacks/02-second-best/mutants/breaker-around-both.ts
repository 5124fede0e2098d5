// fails: e - puts the breaker around the whole, where the cache's success is all it sees
import { Cause, Data, Effect } from "effect"
import { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"

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

const from = (source: Profile["source"]) => (user: User): Profile => ({ ...user, source })

const isUnknownUser = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof UnknownUser)

export const makeProfiles = (database: Database, cache: Cache): Effect.Effect<Profiles> =>
  Effect.map(
    CircuitBreaker.make({
      name: "users",
      trip: CircuitBreaker.consecutive(3),
      breakDuration: "30 seconds",
      isFailure: (cause) => !isUnknownUser(cause)
    }),
    (breaker) => (id) =>
      breaker.run(
        "users",
        Effect.map(database(id), from("database")).pipe(
          Fallback.effect({
            on: ["DatabaseAway", "Overloaded"],
            fallback: () => Effect.map(cache(id), from("cache"))
          })
        )
      )
  )
