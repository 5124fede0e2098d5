// fails: c - looks only at what is left behind
import { Effect, Fiber } from "effect"
import { expect, type Leases, type Test } from "../leases.ts"

const options = { connections: 2, waitMillis: 1000 }

const start = <A, E>(leases: Leases, work: Effect.Effect<A, E>) =>
  Effect.forkChild(leases.use(work), { startImmediately: true })

export const tests: ReadonlyArray<Test> = [
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
  }
]
