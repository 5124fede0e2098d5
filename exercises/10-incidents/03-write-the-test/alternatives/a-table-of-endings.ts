import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { expect, type Leases, type Test, type Wrong } from "../leases.ts"

/** Works until it is told how to end, and says that it has begun. */
const makeWork = Effect.gen(function*() {
  const begun = yield* Deferred.make<void>()
  const end = yield* Deferred.make<string, string>()
  return { begun, end, work: Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(end)) }
})

type Work = Effect.Success<typeof makeWork>

const endings: ReadonlyArray<readonly [name: string, Exit.Exit<string, string>]> = [
  ["a success", Exit.succeed("sold")],
  ["a failure", Exit.fail("sold out")],
  ["a defect", Exit.die(new Error("a bug"))]
]

const enter = (leases: Leases, { work }: Work) => Effect.forkChild(leases.use(work), { startImmediately: true })

const countsTo = (leases: Leases, free: number, when: string): Effect.Effect<void, Wrong> =>
  Effect.flatMap(leases.free, (seen) => expect(seen === free, `${when} ${free} must be free, not ${seen}.`))

const afterEnding = (name: string, exit: Exit.Exit<string, string>): Test => ({
  name: `after ${name} everything is free, and was not before`,
  run: (make) =>
    Effect.gen(function*() {
      const leases = yield* make({ connections: 3, waitMillis: 50 })
      const one = yield* makeWork
      const fiber = yield* enter(leases, one)
      yield* Deferred.await(one.begun)
      yield* countsTo(leases, 2, "While one works")
      yield* Deferred.done(one.end, exit)
      const seen = yield* Fiber.await(fiber)
      yield* expect(seen._tag === exit._tag, "The caller must get what the work has come to.")
      yield* countsTo(leases, 3, `After ${name}`)
    })
})

const whoLeaves: Test = {
  name: "who leaves gives back, and so does who leaves the line",
  run: (make) =>
    Effect.gen(function*() {
      const leases = yield* make({ connections: 1, waitMillis: 500 })
      const [first, second] = [yield* makeWork, yield* makeWork]
      const working = yield* enter(leases, first)
      const waiting = yield* enter(leases, second)
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(working)
      yield* countsTo(leases, 1, "After both have left")
      yield* expect(!(yield* Deferred.isDone(second.begun)), "Who left the line must not be run.")
    })
}

const theLine: Test = {
  name: "one at a time, in the order of the line, and nobody waits longer than agreed",
  run: (make) =>
    Effect.gen(function*() {
      const leases = yield* make({ connections: 1, waitMillis: 500 })
      const works = yield* Effect.forEach([1, 2, 3], () => makeWork)
      const fibers = yield* Effect.forEach(works, (work) => enter(leases, work))
      const begun = Effect.map(Effect.forEach(works, ({ begun }) => Deferred.isDone(begun)), (all) => all.join())
      yield* expect((yield* begun) === "true,false,false", "With one connection one of three works.")
      yield* TestClock.adjust("499 millis")
      yield* Deferred.succeed(works[0]!.end, "sold")
      yield* Fiber.await(fibers[0]!)
      yield* Effect.yieldNow.pipe(Effect.repeat({ times: 10 }))
      yield* expect((yield* begun) === "true,true,false", "Who came second is next.")
      yield* TestClock.adjust("1 milli")
      const exit = fibers[2]!.pollUnsafe()
      const error = exit !== undefined && Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      yield* expect(
        typeof error === "object" && error !== null && "_tag" in error && error._tag === "NoneFree",
        "Who has waited for 500 ms must be told NoneFree."
      )
    })
}

export const tests: ReadonlyArray<Test> = [
  ...endings.map(([name, exit]) => afterEnding(name, exit)),
  whoLeaves,
  theLine
]
