import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { check, expectSuccess } from "../../support.ts"
import {
  CacheMiss,
  type Database,
  DatabaseAway,
  makeProfiles,
  Overloaded,
  type Profiles,
  UnknownUser,
  type User
} from "./exercise.ts"

const alice: User = { id: "alice", name: "Alice" }
const olderAlice: User = { id: "alice", name: "Alice (older)" }

/** A house with a log of who was asked. The cache knows Alice. */
const house = (database: Database) =>
  Effect.gen(function*() {
    const asked: Array<"database" | "cache"> = []
    const profiles: Profiles = yield* makeProfiles(
      (id) =>
        Effect.suspend(() => {
          asked.push("database")
          return database(id)
        }),
      (id) =>
        Effect.suspend(() => {
          asked.push("cache")
          return id === "alice" ? Effect.succeed(olderAlice) : Effect.fail(new CacheMiss({ id }))
        })
    )
    return { asked, profiles }
  })

/** A house whose database does what `now` says. */
const changing = Effect.gen(function*() {
  const state: { now: ReturnType<Database> } = { now: Effect.fail(new DatabaseAway()) }
  return { ...(yield* house(() => state.now)), state }
})

const tags = (exit: Exit.Exit<unknown, { readonly _tag: string }>): Array<string> =>
  Exit.isSuccess(exit)
    ? ["success"]
    : exit.cause.reasons.map((reason) => Cause.isFailReason(reason) ? reason.error._tag : reason._tag)

describe("a: an answer of the database is passed on", () => {
  it.effect("a user that is there", () =>
    Effect.gen(function*() {
      const { profiles } = yield* house(() => Effect.succeed(alice))
      const profile = expectSuccess(yield* Effect.exit(profiles("alice")), "The database has Alice.")
      assert.deepStrictEqual(profile, { ...alice, source: "database" }, "The database's answer must be passed on.")
    }))
})

describe("b: a listed failure is answered by the cache, and one can see it", () => {
  for (const failure of [new DatabaseAway(), new Overloaded()]) {
    it.effect(failure._tag, () =>
      Effect.gen(function*() {
        const { profiles } = yield* house(() => Effect.fail(failure))
        const exit = yield* Effect.exit(profiles("alice"))
        const profile = expectSuccess(exit, `The cache has Alice, and ${failure._tag} is worth asking it.`)
        assert.strictEqual(profile.name, olderAlice.name, "The answer must be the cache's.")
        assert.strictEqual(profile.source, "cache", "A profile out of the cache must say so in `source`.")
      }))
  }
})

describe("c: nothing else asks the cache", () => {
  it.effect("an answer", () =>
    Effect.gen(function*() {
      const { asked, profiles } = yield* house(() => Effect.succeed(alice))
      yield* Effect.exit(profiles("alice"))
      assert.deepStrictEqual(asked, ["database"], "The database has answered, so the cache must not be asked.")
    }))

  it.effect("UnknownUser", () =>
    Effect.gen(function*() {
      const { asked, profiles } = yield* house((id) => Effect.fail(new UnknownUser({ id })))
      const exit = yield* Effect.exit(profiles("alice"))
      check(
        !asked.includes("cache"),
        "\"There is no such user\" is an answer of the database; a user who was deleted must not come back."
      )
      assert.deepStrictEqual(tags(exit), ["UnknownUser"], "UnknownUser must reach the caller as it is.")
    }))

  it.effect("a defect", () =>
    Effect.gen(function*() {
      const { asked, profiles } = yield* house(() => Effect.die(new TypeError("rows is undefined")))
      const exit = yield* Effect.exit(profiles("alice"))
      check(!asked.includes("cache"), "A TypeError is a bug, and the cache must not hide it.")
      assert.deepStrictEqual(tags(exit), ["Die"], "The defect must reach the caller as it is.")
    }))

  it.effect("a caller that has left", () =>
    Effect.gen(function*() {
      const { asked, profiles } = yield* house(() => Effect.never)
      const fiber = yield* Effect.forkChild(profiles("alice"), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      check(!asked.includes("cache"), "Whoever is interrupted has left, so nobody waits for the cache's answer.")
    }))
})

describe("d: when both fail, both causes are told", () => {
  it.effect("DatabaseAway, then CacheMiss", () =>
    Effect.gen(function*() {
      const { profiles } = yield* house(() => Effect.fail(new DatabaseAway()))
      const seen = tags(yield* Effect.exit(profiles("bob")))
      check(seen.includes("CacheMiss"), `The cache does not have Bob, and the cause must say so. Seen: ${seen}.`)
      check(
        seen.includes("DatabaseAway"),
        `Whoever reads only "CacheMiss" looks for the fault in the cache: the database's failure is missing. Seen: ${seen}.`
      )
      assert.deepStrictEqual(seen, ["DatabaseAway", "CacheMiss"], "Both causes, once each, the first one first.")
    }))
})

describe("e: an open circuit asks the cache, and only the cache", () => {
  it.effect("from the fourth page on", () =>
    Effect.gen(function*() {
      const { asked, profiles } = yield* changing
      for (let n = 0; n < 3; n++) yield* Effect.exit(profiles("alice"))
      asked.length = 0
      const exit = yield* Effect.exit(profiles("alice"))
      check(
        !asked.includes("database"),
        "The database has failed three times in a row, so the fourth page must not ask it."
      )
      const profile = expectSuccess(exit, "While the circuit is open the cache answers.")
      assert.strictEqual(profile.source, "cache", "While the circuit is open the answer comes from the cache.")
    }))

  it.effect("for 30 s", () =>
    Effect.gen(function*() {
      const { asked, profiles, state } = yield* changing
      for (let n = 0; n < 3; n++) yield* Effect.exit(profiles("alice"))
      state.now = Effect.succeed(alice)
      yield* TestClock.adjust("29 seconds")
      asked.length = 0
      yield* Effect.exit(profiles("alice"))
      check(!asked.includes("database"), "After 29 s the circuit must still be open.")
      yield* TestClock.adjust("1 second")
      const profile = expectSuccess(yield* Effect.exit(profiles("alice")), "After 30 s the database answers again.")
      assert.strictEqual(profile.source, "database", "After 30 s the database must be asked again.")
    }))

  it.effect("not after answers", () =>
    Effect.gen(function*() {
      const { asked, profiles, state } = yield* changing
      state.now = Effect.fail(new UnknownUser({ id: "carol" }))
      for (let n = 0; n < 5; n++) yield* Effect.exit(profiles("carol"))
      check(
        asked.filter((who) => who === "database").length === 5,
        "\"There is no such user\" is no failure of the database, so five of them must not open its circuit."
      )
    }))

  it.effect("not after fewer than three in a row", () =>
    Effect.gen(function*() {
      const { asked, profiles, state } = yield* changing
      const down = state.now
      for (const now of [down, down, Effect.succeed(alice), down, down, Effect.succeed(alice)]) {
        state.now = now
        yield* Effect.exit(profiles("alice"))
      }
      assert.strictEqual(
        asked.filter((who) => who === "database").length,
        6,
        "A success between failures starts the count anew, so the database must be asked each time."
      )
    }))
})
