/**
 * 09.2 Second best, on purpose
 *
 * A page shows users. The database has them; a cache has most of them as they were some minutes ago. `makeProfiles` below
 * has a second choice for everything: an unknown user is looked up in the cache, a bug is hidden behind yesterday's data,
 * nobody can tell a fresh profile from an old one, and when both fail the log tells of the cache alone. A database that is
 * down is asked again for every page.
 *
 * Do
 * 1. Ask the cache when the database is away or overloaded (`DatabaseAway`, `Overloaded`), and when the circuit is open.
 *    Nothing else is worth it: `UnknownUser` is an answer, a defect is a bug, and whoever was interrupted has left.
 * 2. Say in `source` where the profile comes from.
 * 3. When both fail, let both causes be told, the first one first.
 * 4. Three failures of the database in a row open a circuit for 30 seconds. `UnknownUser` is no failure of the database.
 *
 * `Fallback.handler` and `CircuitBreaker.make` of `effect-lifecycle/resilience` can do all of it; so can you, by hand.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/09-fallbacks/02-second-best/exercise.ts`.
 */
import { Data, Effect } from "effect"
import type { CircuitBreaker } from "effect-lifecycle/resilience"

/** No connection to the database. */
export class DatabaseAway extends Data.TaggedError("DatabaseAway")<{}> {}

/** The database has turned the query away. */
export class Overloaded extends Data.TaggedError("Overloaded")<{}> {}

/** The database has answered: there is no such user. */
export class UnknownUser extends Data.TaggedError("UnknownUser")<{ readonly id: string }> {}

/** The cache does not have it. */
export class CacheMiss extends Data.TaggedError("CacheMiss")<{ readonly id: string }> {}

export type DatabaseFailure = DatabaseAway | Overloaded | UnknownUser

export interface User {
  readonly id: string
  readonly name: string
}

export interface Profile extends User {
  /** Where it comes from. The page says "some minutes old" to `"cache"`. */
  readonly source: "database" | "cache"
}

export type Database = (id: string) => Effect.Effect<User, DatabaseFailure>
export type Cache = (id: string) => Effect.Effect<User, CacheMiss>
export type Profiles = (
  id: string
) => Effect.Effect<Profile, DatabaseFailure | CacheMiss | CircuitBreaker.CircuitOpen>

const from = (source: Profile["source"]) => (user: User): Profile => ({ ...user, source })

/** Made once, used for every page. */
export const makeProfiles = (database: Database, cache: Cache): Effect.Effect<Profiles> =>
  Effect.succeed((id) =>
    database(id).pipe(
      Effect.catchCause(() => cache(id)),
      Effect.map(from("database"))
    )
  )

if (import.meta.main) {
  let queries = 0
  const program = Effect.gen(function*() {
    const profiles = yield* makeProfiles(
      () =>
        Effect.suspend(() => {
          queries++
          return Effect.fail(new DatabaseAway())
        }),
      (id) => id === "alice" ? Effect.succeed({ id, name: "Alice" }) : Effect.fail(new CacheMiss({ id }))
    )
    for (const id of ["alice", "alice", "bob", "alice", "alice"]) {
      const profile = yield* Effect.exit(profiles(id))
      console.log(id, "->", profile._tag === "Success" ? profile.value : profile.cause.reasons)
    }
    console.log(`The database, which is down, was asked ${queries} times.`)
  })
  await Effect.runPromise(program)
}
