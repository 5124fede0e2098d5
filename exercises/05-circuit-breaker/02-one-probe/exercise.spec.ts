import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, References } from "effect"
import { TestClock } from "effect/testing"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { type Breaker, type Call, Invalid, make, makeWithLibrary, type Policy, Unavailable } from "./exercise.ts"

type Make = (policy: Policy) => Effect.Effect<Breaker>

const policy: Policy = { failures: 3, openMillis: 10_000 }

/** `payments`: each call that arrives hangs until the test says how it ends. */
const makePayments = () => {
  const ends: Array<Deferred.Deferred<string, Unavailable | Invalid>> = []
  const call: Call = Effect.suspend(() => {
    const end = Deferred.makeUnsafe<string, Unavailable | Invalid>()
    ends.push(end)
    return Deferred.await(end)
  })
  return {
    call,
    asked: () => ends.length,
    /** The call that arrived as number `n`, from 0, ends. */
    end: (n: number, exit: Exit.Exit<string, Unavailable | Invalid>) => Deferred.done(ends[n]!, exit)
  }
}

/** Lets all fibers go on until they wait for something, however few steps they make in a row. */
const settle = Effect.yieldNow.pipe(Effect.repeat({ times: 100 }))

const start = (breaker: Breaker, call: Call) => Effect.forkChild(breaker.run(call), { startImmediately: true })

/** Whether the breaker lets a call run now; it ends as one wishes. */
const tries = (breaker: Breaker, call: Call) =>
  Effect.gen(function*() {
    let ran = false
    const noted = Effect.suspend(() => {
      ran = true
      return call
    })
    const fiber = yield* start(breaker, noted)
    yield* settle
    const exit = fiber.pollUnsafe()
    check(exit !== undefined, "A call must run or be refused at once, but this one waits.")
    if (!ran) {
      const error = expectFailure(exit, "A call that did not run must fail with Refused.")
      assert.strictEqual(error._tag, "Refused", "A call that did not run must fail with Refused.")
    }
    return ran
  })

const paid: Call = Effect.succeed("paid")
const down: Call = Effect.fail(new Unavailable())

/** A breaker that has just opened. */
const makeOpen = (make: Make) =>
  Effect.gen(function*() {
    const breaker = yield* make(policy)
    for (let n = 0; n < policy.failures; n++) {
      check(yield* tries(breaker, down), "A closed circuit lets its calls run.")
    }
    return breaker
  })

const mustRun = (breaker: Breaker, call: Call, sentence: string) =>
  Effect.map(tries(breaker, call), (ran) => check(ran, sentence))

const mustNotRun = (breaker: Breaker, sentence: string) =>
  Effect.map(tries(breaker, paid), (ran) => check(!ran, sentence))

const waits = (make: Make) =>
  Effect.gen(function*() {
    const breaker = yield* makeOpen(make)
    yield* mustNotRun(breaker, "The circuit has just opened: no call may run.")
    yield* TestClock.adjust(policy.openMillis - 1)
    yield* mustNotRun(breaker, "A millisecond before the wait is over no call may run.")
  })

const oneOfFifty = (make: Make) =>
  Effect.gen(function*() {
    for (const steps of [3, 5, 2048]) {
      const breaker = yield* makeOpen(make)
      yield* TestClock.adjust(policy.openMillis)
      const payments = makePayments()
      const fibers = yield* Effect.forEach(
        Array.from({ length: 50 }),
        // A fiber that may make so few steps in a row lets the others in between any two of them.
        () => Effect.forkChild(Effect.provideService(breaker.run(payments.call), References.MaxOpsBeforeYield, steps))
      )
      for (let n = 0; n < 20; n++) yield* settle
      assert.strictEqual(payments.asked(), 1, "Of 50 callers after the wait exactly one may run.")
      const ended = fibers.filter((fiber) => fiber.pollUnsafe() !== undefined)
      assert.strictEqual(ended.length, 49, "The other 49 must be refused at once, and not wait for the probe.")
      yield* payments.end(0, Exit.succeed("paid"))
      const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
      const answers = exits.filter((exit) => Exit.isSuccess(exit))
      assert.strictEqual(answers.length, 1, "The probe's caller gets the answer of payments.")
    }
  })

const closes = (make: Make, successes: number) =>
  Effect.gen(function*() {
    const breaker = yield* makeOpen(make)
    yield* TestClock.adjust(policy.openMillis)
    for (let n = 1; n <= successes; n++) {
      const payments = makePayments()
      const probe = yield* start(breaker, payments.call)
      assert.strictEqual(payments.asked(), 1, `Probe ${n} of ${successes} must run.`)
      yield* mustNotRun(breaker, `While probe ${n} of ${successes} is under way no other call may run.`)
      yield* payments.end(0, Exit.succeed("paid"))
      expectSuccess(yield* Fiber.await(probe), "The probe's caller gets the answer of payments.")
    }
    const payments = makePayments()
    const both = yield* Effect.forEach([1, 2], () => start(breaker, payments.call))
    assert.strictEqual(
      payments.asked(),
      2,
      "After the probe has succeeded the circuit is closed: calls run side by side."
    )
    yield* Effect.forEach([0, 1], (n) => payments.end(n, Exit.fail(new Unavailable())))
    yield* Effect.forEach(both, (fiber) => Fiber.await(fiber))
    yield* mustRun(breaker, down, "A circuit that has closed begins to count anew: two failures do not open it.")
    yield* mustNotRun(breaker, "The third failure in a row opens it again.")
  })

const opensAgain = (make: Make) =>
  Effect.gen(function*() {
    const breaker = yield* makeOpen(make)
    for (const round of ["first", "second"]) {
      yield* TestClock.adjust(policy.openMillis + 700)
      const payments = makePayments()
      const probe = yield* start(breaker, payments.call)
      yield* TestClock.adjust(300)
      yield* payments.end(0, Exit.fail(new Unavailable()))
      const error = expectFailure(yield* Fiber.await(probe), "A failed probe fails with its own error.")
      assert.strictEqual(error._tag, "Unavailable", "A failed probe fails with its own error.")
      yield* mustNotRun(breaker, `The ${round} probe has failed: the circuit must be open.`)
      yield* TestClock.adjust(policy.openMillis - 1)
      yield* mustNotRun(
        breaker,
        `The ${round} probe has failed: the circuit must be open for the whole time from then.`
      )
    }
    yield* TestClock.adjust(1)
    yield* mustRun(breaker, paid, "When the whole time is over the next probe may run.")
  })

const lateResults = (make: Make) =>
  Effect.gen(function*() {
    for (const exit of [Exit.succeed("paid"), Exit.fail(new Unavailable())]) {
      const how = Exit.isSuccess(exit) ? "succeeds" : "fails"
      const breaker = yield* make(policy)
      const old = makePayments()
      yield* start(breaker, old.call)
      yield* start(breaker, old.call)
      for (let n = 0; n < policy.failures; n++) yield* tries(breaker, down)
      yield* old.end(0, exit)
      yield* mustNotRun(breaker, `A call from before the opening ${how} while the circuit is open: it must stay open.`)
      yield* TestClock.adjust(policy.openMillis)
      const payments = makePayments()
      yield* start(breaker, payments.call)
      assert.strictEqual(payments.asked(), 1, `An old call that ${how} must not change when the probe may run.`)
      yield* old.end(1, exit)
      yield* TestClock.adjust(1)
      const sentence = `A call from before the opening ${how} while the probe is under way: it must change nothing.`
      yield* mustNotRun(breaker, sentence)
      yield* payments.end(0, Exit.succeed("paid"))
      yield* TestClock.adjust(1)
      yield* mustRun(breaker, paid, `${sentence} The probe then succeeds, so the next call must run.`)
    }
  })

const givesBack = (make: Make) =>
  Effect.gen(function*() {
    const breaker = yield* makeOpen(make)
    yield* TestClock.adjust(policy.openMillis)
    const payments = makePayments()
    const first = yield* start(breaker, payments.call)
    yield* mustNotRun(breaker, "While the probe is under way no other call may run.")
    yield* Fiber.interrupt(first)
    const second = yield* start(breaker, payments.call)
    assert.strictEqual(
      payments.asked(),
      2,
      "The probe was interrupted and found nothing out: the next call is the probe."
    )
    yield* mustNotRun(breaker, "After an interrupted probe there is again one probe, not a closed circuit.")
    yield* payments.end(1, Exit.fail(new Invalid()))
    yield* Fiber.await(second)
    const third = yield* start(breaker, payments.call)
    assert.strictEqual(payments.asked(), 3, "Invalid found nothing out about payments: the next call is the probe.")
    yield* mustNotRun(breaker, "After a probe that was Invalid there is again one probe, not a closed circuit.")
    yield* payments.end(2, Exit.fail(new Unavailable()))
    yield* Fiber.await(third)
    yield* mustNotRun(breaker, "The third probe fails: the circuit must be open.")
  })

const silentProbe = (make: Make) =>
  Effect.gen(function*() {
    const breaker = yield* makeOpen(make)
    yield* TestClock.adjust(policy.openMillis)
    yield* start(breaker, makePayments().call)
    yield* TestClock.adjust("4999 millis")
    yield* mustNotRun(breaker, "The probe has been silent for less than 5 s: it is still the only one.")
    yield* TestClock.adjust(1 + policy.openMillis - 1)
    yield* mustNotRun(
      breaker,
      "A probe that is silent for 5 s has failed then: the circuit is open for the whole time."
    )
    yield* TestClock.adjust(1)
    yield* mustRun(breaker, paid, "A probe that is silent must not hold its place for ever: the next probe must run.")
  })

describe("a: until the wait is over nobody runs", () => {
  it.effect("waiting", () => waits(make))
})

describe("b: of fifty callers one is the probe", () => {
  it.effect("50 fibers", () => oneOfFifty(make))
})

describe("c: the probe decides, and nobody else", () => {
  it.effect("it succeeds", () => closes(make, 1))
  it.effect("it fails", () => opensAgain(make))
  it.effect("calls from before the opening end", () => lateResults(make))
})

describe("d: a probe that found nothing out gives its place back", () => {
  it.effect("interruption and Invalid", () => givesBack(make))
})

describe("e: the same with CircuitBreaker.makeRef, and with two successes", () => {
  it.effect("waiting", () => waits(makeWithLibrary))
  it.effect("50 fibers", () => oneOfFifty(makeWithLibrary))
  it.effect("two probes succeed", () => closes(makeWithLibrary, 2))
  it.effect("one fails", () => opensAgain(makeWithLibrary))
  it.effect("interruption and Invalid", () => givesBack(makeWithLibrary))
  it.effect("a silent probe", () => silentProbe(makeWithLibrary))
})
