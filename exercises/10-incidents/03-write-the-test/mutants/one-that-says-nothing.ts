// fails: d - keeps a test that is green whatever happens
import { Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { expect, type Leases, NoneFree, type Test } from "../leases.ts"

const options = { connections: 2, waitMillis: 1000 }

const start = <A, E>(leases: Leases, work: Effect.Effect<A, E>) =>
  Effect.forkChild(leases.use(work), { startImmediately: true })

export const tests: ReadonlyArray<Test> = [
  {
    name: "the answer comes through",
    run: (make) =>
      Effect.gen(function*() {
        const leases = yield* make(options)
        yield* expect((yield* leases.use(Effect.succeed("placed"))) === "placed", "The answer must come through.")
      })
  },
  {
    name: "a connection is back after a success, and once",
    run: (make) =>
      Effect.gen(function*() {
        const leases = yield* make(options)
        yield* leases.use(Effect.void)
        yield* expect((yield* leases.free) === 2, "Two of two must be free.")
      })
  },
  {
    name: "a connection is back after a failure",
    run: (make) =>
      Effect.gen(function*() {
        const leases = yield* make(options)
        yield* Effect.exit(leases.use(Effect.fail("sold out")))
        yield* expect((yield* leases.free) === 2, "Two of two must be free.")
      })
  },
  {
    name: "a connection is back when somebody leaves",
    run: (make) =>
      Effect.gen(function*() {
        const leases = yield* make(options)
        const fiber = yield* start(leases, Effect.never)
        yield* Fiber.interrupt(fiber)
        yield* expect((yield* leases.free) === 2, "Two of two must be free.")
      })
  },
  {
    name: "no more run at once than there are connections",
    run: (make) =>
      Effect.gen(function*() {
        const leases = yield* make(options)
        let running = 0
        const work = Effect.andThen(Effect.sync(() => running++), Effect.never)
        for (let n = 0; n < 3; n++) yield* start(leases, work)
        yield* expect(running === 2, "Two of three must run.")
      })
  },
  {
    name: "who came first is served first",
    run: (make) =>
      Effect.gen(function*() {
        const leases = yield* make({ connections: 1, waitMillis: 1000 })
        const order: Array<number> = []
        yield* start(leases, Effect.sleep(100))
        for (const n of [1, 2, 3]) yield* start(leases, Effect.sync(() => order.push(n)))
        yield* TestClock.adjust(100)
        yield* expect(order.join() === "1,2,3", "They must be served in the order in which they came.")
      })
  },
  {
    name: "who has waited long enough is told so",
    run: (make) =>
      Effect.gen(function*() {
        const leases = yield* make({ connections: 1, waitMillis: 1000 })
        yield* start(leases, Effect.never)
        const fiber = yield* Effect.forkChild(Effect.flip(leases.use(Effect.void)), { startImmediately: true })
        yield* TestClock.adjust(1000)
        const error = Option.fromUndefinedOr(fiber.pollUnsafe())
        yield* expect(Option.isSome(error), "The wait must be over.")
        yield* expect((yield* Fiber.join(fiber)) instanceof NoneFree, "It must be told NoneFree.")
      })
  }
]
