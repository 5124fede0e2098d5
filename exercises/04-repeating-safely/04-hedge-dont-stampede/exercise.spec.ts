import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit } from "effect"
import { RetryBudget } from "effect-lifecycle/resilience"
import { expectFailure, expectSuccess, time, type Timed } from "../../support.ts"
import { type Attempt, hedge, hedgeWithLibrary } from "./exercise.ts"

/** How one attempt goes. */
interface Step {
  readonly millis: number
  readonly fails?: boolean
  readonly dies?: boolean
}

/** A service whose n-th attempt goes as the n-th step says, and what it saw of them. */
const makeService = (...steps: ReadonlyArray<Step>) => {
  const starts: Array<number> = []
  const stopped: Array<number> = []
  const attempt: Attempt = (number) =>
    Effect.gen(function*() {
      starts.push(yield* Clock.currentTimeMillis)
      const step = steps[number - 1]
      if (step === undefined) return yield* Effect.die(new Error(`attempt ${number} should not have begun`))
      const { dies, fails, millis } = step
      yield* Effect.sleep(millis)
      if (dies) return yield* Effect.die(new Error(`attempt ${number} died`))
      return yield* fails ? Effect.fail(`attempt ${number} failed`) : Effect.succeed(`answer ${number}`)
    }).pipe(
      // What an attempt gives back takes a moment, and the caller waits for it.
      Effect.onInterrupt(() => Effect.andThen(Effect.yieldNow, Effect.sync(() => stopped.push(number))))
    )
  return { attempt, starts, stopped }
}

const slow: Step = { millis: 2050 }
const patience = "10 seconds"
const hanging = "A hedged call must end as soon as one of its attempts has succeeded."

const answered = <A, E>({ exit, seconds }: Timed<A, E>, answer: A, at: number, sentence: string): void => {
  assert.strictEqual(expectSuccess(exit, sentence), answer, sentence)
  assert.strictEqual(Math.round(seconds * 1000), at, `The answer was there after ${at} ms, and must be given then.`)
}

describe("a: a quick answer costs one attempt", () => {
  it.effect("10 ms", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService({ millis: 10 })
      const ended = yield* time(hedge("GET", attempt), { patience, sentence: hanging })
      answered(ended, "answer 1", 10, "The first attempt has answered after 10 ms, so its answer is the answer.")
      assert.deepStrictEqual(starts, [0], "An answer after 10 ms leaves nothing to hedge: one attempt.")
    }))
})

describe("b: a slow answer is overtaken", () => {
  it.effect("the third attempt is the first to succeed", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService(slow, slow, { millis: 30 })
      const ended = yield* time(hedge("GET", attempt), { patience, sentence: hanging })
      assert.deepStrictEqual(starts, [0, 100, 200], "Three attempts must start 0, 100 and 200 ms after the call.")
      answered(ended, "answer 3", 230, "The third attempt succeeds first, so its answer is the answer.")
    }))

  it.effect("the first attempt succeeds after all", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService({ millis: 150 }, slow)
      const ended = yield* time(hedge("GET", attempt), { patience, sentence: hanging })
      answered(ended, "answer 1", 150, "A hedge does not end the attempt before it: here that one succeeds first.")
      assert.deepStrictEqual(starts, [0, 100], "An answer after 150 ms leaves no room for a third attempt.")
    }))

  it.effect("there is no fourth attempt", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService(slow, slow, slow, slow)
      yield* time(hedge("GET", attempt), { patience, sentence: hanging })
      assert.strictEqual(starts.length, 3, "There are at most three attempts.")
    }))
})

describe("c: the losers are gone before the answer is given", () => {
  it.effect("two losers", () =>
    Effect.gen(function*() {
      const { attempt, stopped } = makeService(slow, slow, { millis: 30 })
      const seen = Effect.map(hedge("GET", attempt), (answer) => ({ answer, stopped: [...stopped].sort() }))
      const { exit } = yield* time(seen, { patience, sentence: hanging })
      const result = expectSuccess(exit, "The third attempt succeeds after 230 ms, so its answer is the answer.")
      assert.deepStrictEqual(
        result.stopped,
        [1, 2],
        "When the answer is given, attempts 1 and 2 must have been interrupted and their finalizers have run."
      )
    }))
})

describe("d: a failure is not the answer, and starts the next attempt at once", () => {
  it.effect("the first attempt fails after 30 ms", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService({ millis: 30, fails: true }, { millis: 20 })
      const ended = yield* time(hedge("GET", attempt), { patience, sentence: hanging })
      assert.deepStrictEqual(starts, [0, 30], "The first attempt fails after 30 ms: the second one must start then.")
      answered(ended, "answer 2", 50, "The second attempt succeeds, so the failure of the first one does not matter.")
    }))

  it.effect("the delay counts from the latest start", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService({ millis: 30, fails: true }, slow, { millis: 20 })
      yield* time(hedge("GET", attempt), { patience, sentence: hanging })
      assert.deepStrictEqual(
        starts,
        [0, 30, 130],
        "The third attempt is due 100 ms after the second one, which began at 30."
      )
    }))

  it.effect("an earlier attempt fails while a later one runs", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService({ millis: 130, fails: true }, slow, { millis: 20 })
      const ended = yield* time(hedge("GET", attempt), { patience, sentence: hanging })
      assert.deepStrictEqual(
        starts,
        [0, 100, 130],
        "Any failure starts the next attempt: the first one fails at 130 ms."
      )
      answered(ended, "answer 3", 150, "The third attempt succeeds first, so its answer is the answer.")
    }))

  it.effect("a hedge that fails leaves the first attempt alone", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService({ millis: 170 }, { millis: 20, dies: true }, slow)
      const ended = yield* time(hedge("GET", attempt), { patience, sentence: hanging })
      answered(ended, "answer 1", 170, "The second attempt dies at 120 ms; the first one still succeeds at 170 ms.")
      assert.deepStrictEqual(
        starts,
        [0, 100, 120],
        "A defect is a failure too: the third attempt must start at 120 ms."
      )
    }))
})

describe("e: when all have failed, one error has all the causes", () => {
  it.effect("two failures and a defect", () =>
    Effect.gen(function*() {
      const { attempt } = makeService({ millis: 250, fails: true }, { millis: 10, fails: true }, {
        millis: 10,
        dies: true
      })
      const { exit } = yield* time(hedge("GET", attempt), { patience, sentence: "Three failures must end the call." })
      const { causes } = expectFailure(exit, "Three failures must end the call with AllFailed.")
      const texts = causes.map((cause) => {
        const error = Cause.squash(cause)
        return error instanceof Error ? error.message : error
      })
      assert.deepStrictEqual(
        texts,
        ["attempt 2 failed", "attempt 3 died", "attempt 1 failed"],
        "AllFailed must have the cause of each attempt, in the order in which they failed."
      )
    }))
})

describe("f: what is not safe is attempted once", () => {
  for (const method of ["POST", "PATCH"]) {
    it.effect(method, () =>
      Effect.gen(function*() {
        const late = makeService(slow, slow, slow)
        yield* time(hedge(method, late.attempt), { patience, sentence: hanging })
        assert.deepStrictEqual(late.starts, [0], `A slow ${method} may still be at work: it must not be sent twice.`)
        const broken = makeService({ millis: 10, fails: true }, slow, slow)
        yield* time(hedge(method, broken.attempt), { patience, sentence: hanging })
        assert.strictEqual(
          broken.starts.length,
          1,
          `A ${method} that failed may have arrived: it must not be sent twice.`
        )
      }))
  }
})

describe("g: the same with the library", () => {
  const ours = hedgeWithLibrary(RetryBudget.unlimited)

  it.effect("it overtakes, and interrupts the losers", () =>
    Effect.gen(function*() {
      const { attempt, starts, stopped } = makeService(slow, slow, { millis: 30 })
      const ended = yield* time(ours("GET", attempt), { patience, sentence: hanging })
      assert.deepStrictEqual(starts, [0, 100, 200], "Three attempts must start 0, 100 and 200 ms after the call.")
      answered(ended, "answer 3", 230, "The third attempt succeeds first, so its answer is the answer.")
      assert.deepStrictEqual([...stopped].sort(), [1, 2], "Attempts 1 and 2 must have been interrupted.")
    }))

  it.effect("a POST is attempted once", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService(slow, slow, slow)
      yield* time(ours("POST", attempt), { patience, sentence: hanging })
      assert.deepStrictEqual(starts, [0], "The strategy must be told the method: a slow POST must not be sent twice.")
    }))

  it.effect("without a budget left there is no hedge", () =>
    Effect.gen(function*() {
      const { attempt, starts } = makeService({ millis: 450 }, slow, slow)
      const ended = yield* time(hedgeWithLibrary(RetryBudget.none)("GET", attempt), { patience, sentence: hanging })
      assert.deepStrictEqual(starts, [0], "The budget has nothing left, so the service must not get a second request.")
      answered(ended, "answer 1", 450, "Without a hedge the answer of the first attempt is the answer.")
    }))

  it.effect("it starts when your own one does, however the attempts go", () =>
    Effect.gen(function*() {
      const steps = [17, 61, 143, 331].flatMap((millis) => [{ millis }, { millis, fails: true }])
      for (const first of steps) {
        for (const second of steps) {
          for (const third of [steps[0]!, steps[5]!]) {
            // A few ms apart, so that no two things are due at the same moment.
            const script = [first, second, third].map((step, index) => ({ ...step, millis: step.millis + index * 3 }))
            const told = script.map(({ fails, millis }: Step) => `${fails ? "fail" : "succeed"} after ${millis} ms`)
            const runs: Array<{ readonly starts: ReadonlyArray<number>; readonly answer: string }> = []
            for (const run of [hedge, ours]) {
              const from = yield* Clock.currentTimeMillis
              const { attempt, starts } = makeService(...script)
              const call = Effect.mapError(run("GET", attempt), () => "it failed")
              const { exit } = yield* time(call, { patience, sentence: hanging })
              const answer = Exit.isSuccess(exit) ? exit.value : "it failed"
              runs.push({ starts: starts.map((at) => at - from), answer })
            }
            const [mine, theirs] = runs
            const sentence = `Your own and the library's must do the same where the attempts, in turn: ${
              told.join(", ")
            }.`
            assert.deepStrictEqual(mine!.starts, theirs!.starts, sentence)
            assert.strictEqual(mine!.answer, theirs!.answer, sentence)
          }
        }
      }
    }))
})
