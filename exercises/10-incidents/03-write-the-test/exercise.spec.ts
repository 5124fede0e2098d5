import { describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Option, References } from "effect"
import { check } from "../../support.ts"
import { tests } from "./exercise.ts"
import { type Make, NoneFree, type Test } from "./leases.ts"

const faults = {
  leakOnFailure: "a connection does not come back after a failure",
  leakOnInterrupt: "a connection does not come back after an interruption",
  twice: "a connection comes back twice",
  noLimit: "more run at once than there are connections",
  unfair: "who came last is served first",
  wrongError: "who has waited for too long gets another error"
}

type Fault = keyof typeof faults

class TimedOut extends Data.TaggedError("TimedOut")<{}> {}

const build = (fault: Fault | undefined, { connections, waitMillis }: Parameters<Make>[0]) => {
  let free = connections
  let waiting: Array<Deferred.Deferred<void>> = []
  const giveBack = () => {
    const next = fault === "unfair" ? waiting.pop() : waiting.shift()
    if (next === undefined) free++
    else Deferred.doneUnsafe(next, Effect.void)
  }
  const leave = (turn: Deferred.Deferred<void>) =>
    Effect.sync(() => {
      if (waiting.includes(turn)) waiting = waiting.filter((other) => other !== turn)
      else giveBack()
    })
  const late = fault === "wrongError" ? new TimedOut() as unknown as NoneFree : new NoneFree()
  const take: Effect.Effect<void, NoneFree> = Effect.suspend(() => {
    if (free > 0 || fault === "noLimit") {
      free--
      return Effect.void
    }
    const turn = Deferred.makeUnsafe<void>()
    waiting.push(turn)
    return Deferred.await(turn).pipe(
      Effect.timeoutOption(waitMillis),
      Effect.interruptible,
      Effect.onInterrupt(() => leave(turn)),
      Effect.flatMap(Option.match({
        onSome: () => Effect.void,
        onNone: () => Effect.andThen(leave(turn), Effect.fail(late))
      }))
    )
  })
  const after = (exit: Exit.Exit<unknown, unknown>) =>
    Effect.sync(() => {
      if (fault === "leakOnFailure" && Exit.isFailure(exit) && !Exit.hasInterrupts(exit)) return
      if (fault === "leakOnInterrupt" && Exit.hasInterrupts(exit)) return
      giveBack()
      if (fault === "twice") giveBack()
    })
  return { take, after, free: () => free }
}

// All modules look alike from outside, also to who reads their text.
const moduleWith = (fault: Fault | undefined): Make => (options) =>
  Effect.sync(() => {
    const { after, free, take } = build(fault, options)
    return {
      use: (work) => Effect.acquireUseRelease(take, () => work, (_, exit) => after(exit)),
      free: Effect.sync(free)
    }
  })

/** Runs a test until it ends, or until nothing but real time would make it go on. */
const passes = (test: Test, fault: Fault | undefined) =>
  Effect.gen(function*() {
    const run = Effect.suspend(() => test.run(moduleWith(fault)))
    const fiber = yield* Effect.forkDetach(
      Effect.scoped(run).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    )
    for (let step = 0; step < 3000 && fiber.pollUnsafe() === undefined; step++) yield* Effect.yieldNow
    const exit = fiber.pollUnsafe()
    if (exit === undefined) {
      yield* Effect.forkDetach(Fiber.interrupt(fiber))
      return "waits" as const
    }
    return Exit.isSuccess(exit) ? "passed" as const : "failed" as const
  })

const shuffled = (round: number): ReadonlyArray<Test> => {
  let seed = round * 7919 + 1
  return tests
    .map((test) => ({ test, at: seed = (seed * 48_271) % 2_147_483_647 }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ test }) => test)
}

const mustHold = Effect.gen(function*() {
  check(tests.length > 0, "There are no tests, so nothing can notice a fault.")
  for (let round = 0; round < 20; round++) {
    for (const test of shuffled(round)) {
      const outcome = yield* passes(test, undefined)
      check(
        outcome !== "waits",
        `"${test.name}" does not end on the right module: it waits for real time, or for nothing. Move the TestClock.`
      )
      check(outcome === "passed", `"${test.name}" fails on the right module, in round ${round + 1} of 20.`)
    }
  }
})

const noticed = (fault: Fault) =>
  Effect.gen(function*() {
    for (const test of tests) {
      if ((yield* passes(test, fault)) !== "passed") return true
    }
    return false
  })

const mustNotice = (some: ReadonlyArray<Fault>, atLeast: number) =>
  Effect.gen(function*() {
    yield* mustHold
    const missed: Array<Fault> = []
    for (const fault of some) if (!(yield* noticed(fault))) missed.push(fault)
    const [first] = missed
    check(
      first === undefined || some.length - missed.length >= atLeast,
      `All tests pass on a module where ${first === undefined ? "" : faults[first]}: no test notices.`
    )
  })

describe("a: the tests pass on the right module, in any order and without waiting", () => {
  it.effect("twenty times", () => mustHold)
})

describe("b: they notice what does not come back, or comes back twice", () => {
  it.effect("three wrong modules", () => mustNotice(["leakOnFailure", "leakOnInterrupt", "twice"], 3))
})

describe("c: they notice who is let in, in which order, and what they are told", () => {
  it.effect("two of three wrong modules", () => mustNotice(["noLimit", "unfair", "wrongError"], 2))
})

describe("d: every one of them can fail", () => {
  it.effect("on some wrong module", () =>
    Effect.gen(function*() {
      yield* mustHold
      for (const test of tests) {
        let fails = false
        for (const fault of Object.keys(faults) as Array<Fault>) fails ||= (yield* passes(test, fault)) !== "passed"
        check(fails, `"${test.name}" passes on all six wrong modules: it says nothing.`)
      }
    }))
})
