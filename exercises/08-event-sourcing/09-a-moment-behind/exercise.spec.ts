import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, Option, Stream } from "effect"
import { EventStore, MemoryStore, Projection } from "effect-lifecycle/store"
import { TestClock } from "effect/testing"
import { check, expectSuccess } from "../../support.ts"
import { release, type Reservation, reserve, Seats } from "./exercise.ts"
import { happened, SeatsOfLastYear, Waiting, type What } from "./show.ts"

const opened = (seats: number): What => ({ type: "Opened", data: { seats } })
const reserved = (seats: number, customer = "ada"): What => ({ type: "Reserved", data: { customer, seats } })
const cancelled = (seats: number, customer = "ada"): What => ({ type: "Cancelled", data: { customer, seats } })

/** A year of two shows: of Hamlet 100 seats and 30 more, 40 sold and 25 given back; of Macbeth 10, and all sold. */
const lastYear = Effect.gen(function*() {
  for (const what of [opened(100), reserved(20), opened(30), cancelled(20), reserved(20), cancelled(5)]) {
    yield* happened("hamlet", what)
  }
  for (const what of [opened(10), reserved(10)]) yield* happened("macbeth", what)
})

/** Lets time pass in steps, so that whoever waits for a moment wakes in it. */
const pass = (seconds: number) => Effect.replicateEffect(TestClock.adjust("50 millis"), seconds * 20)

/** Runs an effect until it ends, and fails with the sentence when it has not ended by then; answers when that was. */
const within = <A, E, R>(seconds: number, effect: Effect.Effect<A, E, R>, sentence: string) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    for (let steps = 0; steps <= seconds * 20; steps++) {
      if (fiber.pollUnsafe() !== undefined) return { exit: yield* Fiber.await(fiber), seconds: steps / 20 }
      yield* TestClock.adjust("50 millis")
    }
    return assert.fail(`${sentence} Seen: not after ${seconds} seconds.`)
  })

const free = <A extends { readonly free: number }, E, R>(list: Projection.Projection<A, E, R>, show: string) =>
  Effect.gen(function*() {
    const projections = yield* Projection.Projections
    const exit = yield* Effect.exit(projections.get(list, show))
    return Option.getOrUndefined(expectSuccess(exit, "While a list is built, there is another one to read."))?.state
      .free
  })

/** Keeps a list, and goes on when it is live. */
const kept = <A, E, R>(list: Projection.Projection<A, E, R>) =>
  Effect.gen(function*() {
    const projections = yield* Projection.Projections
    const running = yield* Effect.forkChild(projections.run(list), { startImmediately: true })
    yield* within(5, projections.awaitLive(list), "A list that is kept becomes live.")
    return running
  })

/** A database and people who wait, for one test. */
const theatre = <A, E, R>(test: (mails: ReadonlyArray<string>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const mails: Array<string> = []
    return test(mails).pipe(
      Effect.provideService(Waiting, { mail: (show) => Effect.sync(() => void mails.push(show)) }),
      Effect.provide(MemoryStore.layer)
    )
  })

const mustRelease = Effect.map(
  within(10, release, "The release ends when version 2 is live and version 1 is dropped."),
  ({ exit }) => expectSuccess(exit, "There is nothing in the way of the release.")
)

describe("a: what was opened and reserved is in the list", () => {
  it.effect("two shows", () =>
    theatre(() =>
      Effect.gen(function*() {
        yield* happened("hamlet", opened(100))
        yield* happened("macbeth", opened(10))
        yield* kept(Seats)
        yield* happened("hamlet", reserved(2))
        yield* pass(1)
        assert.deepEqual([yield* free(Seats, "hamlet"), yield* free(Seats, "macbeth")], [98, 10], "Two are reserved.")
      })
    ))
})

describe("b: what was given back is free again", () => {
  it.effect("before the list was there, and afterwards", () =>
    theatre(() =>
      Effect.gen(function*() {
        yield* lastYear
        yield* kept(Seats)
        assert.deepEqual(
          [yield* free(Seats, "hamlet"), yield* free(Seats, "macbeth")],
          [115, 0],
          "Of Hamlet 130 seats were opened, 40 reserved and 25 given back; of Macbeth 10, and all reserved."
        )
        yield* happened("macbeth", cancelled(4, "bob"))
        yield* happened("hamlet", opened(5))
        yield* pass(1)
        assert.deepEqual(
          [yield* free(Seats, "hamlet"), yield* free(Seats, "macbeth")],
          [120, 4],
          "Then five more were opened for Hamlet, and four given back for Macbeth."
        )
      })
    ))
})

describe("c: the new list is built beside the old one", () => {
  it.effect("and takes its place", () =>
    theatre(() =>
      Effect.gen(function*() {
        const projections = yield* Projection.Projections
        yield* lastYear
        yield* kept(SeatsOfLastYear)
        const seen: Array<number | undefined> = []
        const releasing = yield* Effect.forkChild(release, { startImmediately: true })
        for (let step = 0; step < 100; step++) {
          seen.push(yield* free(SeatsOfLastYear, "hamlet"))
          yield* TestClock.adjust("50 millis")
        }
        check(
          seen.every((one) => one === 90 || one === 115),
          `Who reads meanwhile sees the old list, with 90, or all of the new one, with 115. Seen: ${
            [...new Set(seen)].join(", ")
          }.`
        )
        assert.deepEqual(
          [seen[0], seen.at(-1)],
          [90, 115],
          "At first it is the old list. Who still reads by the old definition gets the new one in the end."
        )
        check(
          releasing.pollUnsafe() !== undefined,
          "The release ends when version 2 is live and version 1 is dropped. Seen: not after 5 seconds."
        )
        const versions = yield* projections.versions("free seats")
        assert.deepEqual(
          versions.map(({ status, version }) => `${version} ${status}`),
          ["2 live"],
          "Version 2 is live, and nothing is left of version 1."
        )
      })
    ))

  it.effect("not sooner than it says", () =>
    theatre(() =>
      Effect.gen(function*() {
        const projections = yield* Projection.Projections
        yield* lastYear
        const old = yield* kept(SeatsOfLastYear)
        yield* mustRelease
        const versions = yield* projections.versions("free seats")
        assert.deepEqual(
          versions.map(({ status, version }) => `${version} ${status}`),
          ["2 live"],
          "When the release has ended, version 2 is live, and nothing is left of version 1."
        )
        check(old.pollUnsafe() === undefined, "Whoever runs version 1 is left alone; it stops by itself.")
        // A second process releases the same: there is nothing to do, and nothing to fail.
        yield* mustRelease
      })
    ))
})

describe("d: nobody gets a mail of last year", () => {
  it.effect("and everybody one of what comes", () =>
    theatre((mails) =>
      Effect.gen(function*() {
        yield* lastYear
        yield* kept(SeatsOfLastYear)
        yield* mustRelease
        yield* kept(Seats)
        yield* pass(1)
        assert.deepEqual(mails, [], "What was given back before version 2 was there is no news.")
        yield* happened("macbeth", reserved(1))
        yield* happened("macbeth", opened(3))
        yield* pass(1)
        assert.deepEqual(mails, [], "Where nothing is given back there is no mail.")
        yield* happened("macbeth", cancelled(2))
        yield* happened("hamlet", cancelled(1))
        yield* happened("macbeth", cancelled(1))
        yield* pass(1)
        assert.deepEqual(
          mails,
          ["macbeth", "hamlet", "macbeth"],
          "Each time when something is given back, there is a mail for that show."
        )
      })
    ))
})

describe("e: who has bought a seat sees it, and does not wait for ever", () => {
  const ada = (seats: number): Reservation => ({ show: "hamlet", customer: "ada", seats })
  const reserving = (seats: number, patience: Duration.Input) =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* within(
        10,
        reserve(ada(seats), patience),
        "Patience has an end, and then there is an answer."
      )
      const free = expectSuccess(exit, "It is stored, so it is sold, whatever the list does.")
      return { free: Option.getOrElse(free, () => "None"), seconds }
    })

  it.effect("the list is there", () =>
    theatre(() =>
      Effect.gen(function*() {
        yield* happened("hamlet", opened(100))
        yield* kept(Seats)
        for (const [seats, rest] of [[2, 98], [3, 95], [1, 94]] as const) {
          const { free, seconds } = yield* reserving(seats, "5 seconds")
          assert.strictEqual(free, rest, `After this one there are ${rest}: it is in the answer.`)
          check(seconds < 3, `The list has it at once, so there is nothing to wait for. Seen: ${seconds} seconds.`)
        }
      })
    ))

  it.effect("the list is late", () =>
    theatre(() =>
      Effect.gen(function*() {
        const projections = yield* Projection.Projections
        yield* happened("hamlet", opened(100))
        const running = yield* kept(Seats)
        yield* Fiber.interrupt(running)
        yield* Effect.forkChild(Effect.delay(projections.run(Seats), "1 second"), { startImmediately: true })
        const { free, seconds } = yield* reserving(2, "8 seconds")
        assert.strictEqual(free, 98, "The list comes after a second, and patience is longer.")
        check(
          seconds < 6,
          `The list is there after a second or so; nobody has to wait longer. Seen: ${seconds} seconds.`
        )
      })
    ))

  it.effect("the list stands still", () =>
    theatre(() =>
      Effect.gen(function*() {
        const store = yield* EventStore.EventStore
        yield* happened("hamlet", opened(100))
        yield* Fiber.interrupt(yield* kept(Seats))
        const { free, seconds } = yield* reserving(2, "2 seconds")
        assert.strictEqual(free, "None", "What the list has is without this reservation, so it is no answer.")
        check(seconds >= 2 && seconds < 3, `Patience is two seconds. Seen: an answer after ${seconds}.`)
        const events = yield* Stream.runCollect(store.readAll())
        assert.deepEqual(events.map(({ type }) => type), ["Opened", "Reserved"], "It is sold, and once.")
      })
    ))

  it.effect("there is no list", () =>
    theatre(() =>
      Effect.gen(function*() {
        yield* happened("hamlet", opened(100))
        const { free, seconds } = yield* reserving(2, "2 seconds")
        assert.strictEqual(free, "None", "No version is live, so nobody knows. The seats are sold.")
        check(seconds < 3, `Patience is two seconds. Seen: an answer after ${seconds}.`)
      })
    ))
})
