import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, References } from "effect"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { type Breaker, type Call, Invalid, make, makeWithLibrary, type Policy, Unavailable } from "./exercise.ts"

type Make = (policy: Policy) => Effect.Effect<Breaker>
type Ending = "success" | "unavailable" | "invalid" | "interrupt"

/** `payments`, whose calls end as one wishes, and count. */
const makePayments = () => {
  let asked = 0
  const ending = (how: Ending): Call =>
    Effect.suspend((): Call => {
      asked++
      if (how === "success") return Effect.succeed("paid")
      if (how === "interrupt") return Effect.interrupt
      return Effect.fail(how === "unavailable" ? new Unavailable() : new Invalid())
    })
  return { ending, asked: () => asked }
}

/** Lets calls end one after the other, and says of each whether it was refused. */
const play = (breaker: Breaker, endings: ReadonlyArray<Ending>) =>
  Effect.gen(function*() {
    const payments = makePayments()
    const refused: Array<boolean> = []
    for (const how of endings) {
      const before = payments.asked()
      // In a fiber of its own, so that an interruption ends the call and not the test.
      const fiber = yield* Effect.forkChild(breaker.run(payments.ending(how)), { startImmediately: true })
      const exit = yield* Fiber.await(fiber)
      const ran = payments.asked() > before
      if (!ran) {
        const error = expectFailure(exit, "A call that did not run must fail with Refused.")
        assert.strictEqual(error._tag, "Refused", "A call that did not run must fail with Refused.")
      } else if (how === "unavailable" || how === "invalid") {
        const error = expectFailure(exit, "A call that ran fails with its own error.")
        check(error._tag !== "Refused", "A call that ran must fail with its own error, not with Refused.")
      }
      refused.push(!ran)
    }
    return refused
  })

const told = (refused: ReadonlyArray<boolean>): string => refused.map((one) => one ? "refused" : "ran").join(" ")

const opensAfter = (make: Make, failures: number, endings: ReadonlyArray<Ending>, sentence: string) =>
  Effect.gen(function*() {
    const breaker = yield* make({ failures })
    const refused = yield* play(breaker, [...endings, "success", "success"])
    const expected = [...endings.map(() => false), true, true]
    assert.strictEqual(told(refused), told(expected), sentence)
  })

const staysClosed = (make: Make, failures: number, endings: ReadonlyArray<Ending>, sentence: string) =>
  Effect.gen(function*() {
    const breaker = yield* make({ failures })
    const refused = yield* play(breaker, [...endings, "success"])
    check(!refused.includes(true), sentence)
  })

const inARow = (make: Make) =>
  Effect.gen(function*() {
    for (const failures of [1, 2, 3, 5]) {
      yield* opensAfter(
        make,
        failures,
        Array.from({ length: failures }, () => "unavailable" as const),
        `With ${failures} allowed in a row, failure ${failures} must open the circuit, and the next call must not run.`
      )
    }
    const almost = ["unavailable", "unavailable", "success"] as const
    yield* staysClosed(make, 3, [...almost, ...almost], "A success begins the count anew: two and two are not three.")
    yield* opensAfter(
      make,
      3,
      [...almost, "unavailable", "unavailable", "unavailable"],
      "Three failures in a row open the circuit, also after a success."
    )
  })

const whatCounts = (make: Make) =>
  Effect.gen(function*() {
    yield* opensAfter(
      make,
      2,
      ["unavailable", "invalid", "invalid", "unavailable"],
      "Invalid says nothing about the health of payments: it is neither a failure nor a success."
    )
    yield* opensAfter(
      make,
      2,
      ["unavailable", "interrupt", "interrupt", "unavailable"],
      "A caller that goes away says nothing about the health of payments: neither a failure nor a success."
    )
  })

const manyAtOnce = (make: Make) =>
  Effect.gen(function*() {
    // A fiber that may make so few steps in a row lets the others in between any two of them.
    for (const steps of [3, 5]) {
      const breaker = yield* make({ failures: 100 })
      const end = yield* Deferred.make<void>()
      const failing: Call = Effect.andThen(Deferred.await(end), Effect.fail(new Unavailable()))
      const fibers = yield* Effect.forEach(
        Array.from({ length: 100 }),
        () =>
          breaker.run(failing).pipe(
            Effect.provideService(References.MaxOpsBeforeYield, steps),
            Effect.forkChild({ startImmediately: true })
          )
      )
      yield* Effect.yieldNow
      yield* Deferred.succeed(end, undefined)
      yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
      const [refused] = yield* play(breaker, ["success"])
      check(refused === true, "A hundred failures at once are a hundred failures: call 101 must be refused.")
    }
  })

const lateSuccess = (make: Make) =>
  Effect.gen(function*() {
    const breaker = yield* make({ failures: 2 })
    const end = yield* Deferred.make<void>()
    const slow: Call = Effect.as(Deferred.await(end), "paid")
    const fiber = yield* Effect.forkChild(breaker.run(slow), { startImmediately: true })
    yield* play(breaker, ["unavailable", "unavailable"])
    yield* Deferred.succeed(end, undefined)
    const answer = expectSuccess(
      yield* Fiber.await(fiber),
      "A call that began before the circuit opened runs to its end."
    )
    assert.strictEqual(answer, "paid", "A call that began before the circuit opened has its own answer.")
    const [refused] = yield* play(breaker, ["success"])
    check(
      refused === true,
      "A call that began before the circuit opened does not close it: the next one must be refused."
    )
  })

describe("a: a healthy service is asked every time", () => {
  it.effect("successes", () =>
    Effect.gen(function*() {
      const payments = makePayments()
      const breaker = yield* make({ failures: 1 })
      for (let n = 1; n <= 3; n++) {
        const exit = yield* Effect.exit(breaker.run(payments.ending("success")))
        const answer = expectSuccess(exit, "A success must reach the caller.")
        assert.strictEqual(answer, "paid", "The caller must get the answer of payments.")
        assert.strictEqual(payments.asked(), n, "Each call must be made once.")
      }
    }))
})

describe("b: the n-th failure in a row opens, and then no call runs", () => {
  it.effect("counting", () => inARow(make))
  it.effect("a success that comes late", () => lateSuccess(make))
})

describe("c: only what says something about payments counts", () => {
  it.effect("Invalid and interruption", () => whatCounts(make))
})

describe("d: a hundred failures at once are all counted", () => {
  it.effect("100 fibers", () => manyAtOnce(make))
})

describe("e: the same with CircuitBreaker.makeRef", () => {
  it.effect("counting", () => inARow(makeWithLibrary))
  it.effect("Invalid and interruption", () => whatCounts(makeWithLibrary))
  it.effect("100 fibers", () => manyAtOnce(makeWithLibrary))
  it.effect("a success that comes late", () => lateSuccess(makeWithLibrary))

  it.effect("both refuse the same calls of any five", () =>
    Effect.gen(function*() {
      const endings: ReadonlyArray<Ending> = ["success", "unavailable", "invalid"]
      for (let n = 0; n < endings.length ** 5; n++) {
        const history = Array.from({ length: 5 }, (_, index) => endings[Math.floor(n / endings.length ** index) % 3]!)
        const mine = yield* play(yield* make({ failures: 2 }), history)
        const theirs = yield* play(yield* makeWithLibrary({ failures: 2 }), history)
        assert.strictEqual(
          told(mine),
          told(theirs),
          `With 2 failures in a row, yours and the library's must refuse the same calls of ${history.join(", ")}.`
        )
      }
    }))
})
