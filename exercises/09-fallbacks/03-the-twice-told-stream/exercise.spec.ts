import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { check, expectSuccess } from "../../support.ts"
import { ArchiveAway, ConnectionLost, type Entry, feed, type Told } from "./exercise.ts"

const entries: ReadonlyArray<Entry> = ["paid", "parcel packed", "money back", "parcel sent"].map((text, index) => ({
  id: index + 1,
  text
}))

const breaksAfter = (all: ReadonlyArray<Entry>, position: number) =>
  Stream.concat(Stream.fromIterable(all.slice(0, position)), Stream.fail(new ConnectionLost()))

const told = (live: Stream.Stream<Entry, ConnectionLost>, archive: Stream.Stream<Entry, ArchiveAway>) =>
  Effect.exit(Stream.runCollect(feed(live, archive)))

const idsOf = (all: ReadonlyArray<Entry>): ReadonlyArray<number> => all.map(({ id }) => id)

const ordersOf = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.length < 2 ?
    [all] :
    all.flatMap((first) => ordersOf(all.filter((other) => other !== first)).map((rest) => [first, ...rest]))

/** Every place where four entries can break, with every order the archive can have them in. */
const broken = entries.concat(entries[0]!).flatMap((_, position) =>
  ordersOf(entries).map((archive) => {
    const ours = entries.slice(0, position)
    return { position, archive, right: [...ours, ...archive.filter((entry) => !ours.includes(entry))] }
  })
)

const failed = "The archive has answered, so the feed must not fail."

describe("a: a live feed that does not break is passed on as it comes", () => {
  it.effect("the archive is left alone", () =>
    Effect.gen(function*() {
      let opened = false
      const archive = Stream.suspend(() => {
        opened = true
        return Stream.fromIterable(entries)
      })
      const seen = expectSuccess(yield* told(Stream.fromIterable(entries), archive), "The live feed did not break.")
      assert.deepStrictEqual(idsOf(seen), idsOf(entries), "The live feed did not break: its entries are all there is.")
      check(!opened, "The live feed did not break, so the archive must not be opened.")
    }))

  it.effect("an entry is told when it happens", () =>
    Effect.gen(function*() {
      const seen: Array<Told> = []
      const live = Stream.concat(Stream.fromIterable(entries.slice(0, 1)), Stream.never)
      const fiber = yield* feed(live, Stream.empty).pipe(
        Stream.runForEach((entry) => Effect.sync(() => seen.push(entry))),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interrupt(fiber)
      const sentence = "The first entry happened a minute ago, and the feed goes on: it must have been told."
      assert.deepStrictEqual(idsOf(seen), [1], sentence)
    }))
})

describe("b: every entry is told once, wherever the break is", () => {
  it.effect("each break, each order of the archive", () =>
    Effect.gen(function*() {
      for (const { archive, position, right } of broken) {
        const seen = expectSuccess(yield* told(breaksAfter(entries, position), Stream.fromIterable(archive)), failed)
        const sentence = `The live feed broke after ${position} entries, and the archive has ${idsOf(archive)}.`
        assert.deepStrictEqual(
          idsOf(seen),
          idsOf(right),
          `${sentence} Each entry must be told once, those of the live feed first.`
        )
      }
    }))
})

describe("c: every entry names its source", () => {
  it.effect("each break", () =>
    Effect.gen(function*() {
      for (const { archive, position } of broken) {
        const seen = expectSuccess(yield* told(breaksAfter(entries, position), Stream.fromIterable(archive)), failed)
        for (const { id, source } of seen) {
          const right = id <= position ? "live" : "archive"
          check(
            source === right,
            `The live feed broke after ${position} of 4 entries, so entry ${id} comes from "${right}", not from "${source}".`
          )
        }
      }
    }))
})

describe("d: two entries with the same text are two entries", () => {
  const same = entries.map(({ id }) => ({ id, text: "parcel sent" }))
  for (const position of [1, 2, 4]) {
    it.effect(`a break after ${position}`, () =>
      Effect.gen(function*() {
        const seen = expectSuccess(yield* told(breaksAfter(same, position), Stream.fromIterable(same)), failed)
        const sentence = "Four parcels were sent, so four entries must be told, each of them once."
        assert.deepStrictEqual(idsOf(seen), idsOf(same), sentence)
      }))
  }
})

describe("e: only a lost connection is made good, and no cause is lost", () => {
  it.effect("a defect", () =>
    Effect.gen(function*() {
      let opened = false
      const archive = Stream.suspend(() => {
        opened = true
        return Stream.fromIterable(entries)
      })
      const exit = yield* told(Stream.die(new TypeError("entry is undefined")), archive)
      check(!opened, "A TypeError is a bug, and the archive must not hide it. Seen: the archive was opened.")
      check(Exit.isFailure(exit) && Cause.hasDies(exit.cause), "The defect must reach the one who reads the feed.")
    }))

  it.effect("two failures", () =>
    Effect.gen(function*() {
      const exit = yield* told(breaksAfter(entries, 2), Stream.fail(new ArchiveAway()))
      check(Exit.isFailure(exit), "Both have failed, so the feed must fail.")
      const seen = exit.cause.reasons.map((reason) => Cause.isFailReason(reason) ? reason.error._tag : reason._tag)
      const sentence = "Both have failed: both causes must be told, the first one first."
      assert.deepStrictEqual(seen, ["ConnectionLost", "ArchiveAway"], sentence)
    }))
})
