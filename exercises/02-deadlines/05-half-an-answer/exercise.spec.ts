import { describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"
import { check, expectFailure, expectSuccess, time } from "../../support.ts"
import { gather, gatherForRequest, type NothingArrived, type Page, type Source, Unavailable } from "./exercise.ts"

interface Plan {
  readonly name: string
  readonly millis: number
  readonly fails: boolean
}

/** Sources that answer as planned, and what became of them. */
const makeSources = (plans: ReadonlyArray<Plan>) => {
  const begun: Array<number> = []
  const interrupted: Array<string> = []
  const sources = plans.map(({ fails, millis, name }): Source => ({
    name,
    ask: Effect.gen(function*() {
      begun.push(yield* Clock.currentTimeMillis)
      yield* Effect.sleep(millis)
      return fails ? yield* new Unavailable() : `${name} is ready`
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => void interrupted.push(name))))
  }))
  return { sources, begun, interrupted }
}

const show = (plans: ReadonlyArray<Plan>) =>
  plans.map(({ fails, millis, name }) => `${name} ${fails ? "fails" : "answers"} after ${millis} ms`).join(", ")

/** Thirty plans with a budget, the same every time; no source ends at the very moment when the budget does. */
const cases = Array.from({ length: 30 }, (_, n) => {
  let seed = n * 7919 + 17
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
  const plans = Array.from({ length: 1 + random(5) }, (_, index): Plan => ({
    name: ["price", "stock", "reviews", "delivery", "similar"][index]!,
    millis: 10 * random(100) + 5,
    fails: random(4) === 0
  }))
  return { plans, budget: 10 * (1 + random(90)) }
})

const run = (effect: Effect.Effect<Page, NothingArrived>) =>
  time(effect, { patience: "2 minutes", sentence: "The page must come within two minutes." })

const pageOf = (exit: Exit.Exit<Page, NothingArrived>): Page =>
  Exit.isSuccess(exit)
    ? exit.value
    : { arrived: [], missing: expectFailure(exit, "Without anything to show it fails with NothingArrived.").missing }

const names = (boxes: ReadonlyArray<{ readonly name: string }>) => boxes.map(({ name }) => name).join(", ") || "nothing"

const soonest = (plans: ReadonlyArray<Plan>, budget: number) =>
  Math.min(budget, Math.max(...plans.map(({ millis }) => millis)))

describe("a: who can answer in time is in the answer, in the order asked", () => {
  it.effect("with a budget", () =>
    Effect.gen(function*() {
      for (const { budget, plans } of cases) {
        const { exit } = yield* run(gather(makeSources(plans).sources, budget))
        const expected = names(plans.filter(({ fails, millis }) => !fails && millis < budget))
        const seen = names(pageOf(exit).arrived)
        check(
          seen === expected,
          `With ${budget} ms, where ${show(plans)}, the page has ${expected}, in this order. Seen: ${seen}.`
        )
      }
    }))

  it.effect("with their values", () =>
    Effect.gen(function*() {
      const { sources } = makeSources([{ name: "price", millis: 5, fails: false }])
      const page = expectSuccess((yield* run(gather(sources, 100))).exit, "A source that answers in time is enough.")
      check(page.arrived[0]?.value === "price is ready", "The page has what the source said.")
    }))
})

describe("b: it comes no later than the budget allows, and no later than it must", () => {
  it.effect("with a budget", () =>
    Effect.gen(function*() {
      for (const { budget, plans } of cases) {
        const { sources, begun } = makeSources(plans)
        const { seconds } = yield* run(gather(sources, budget))
        check(
          begun.length === plans.length,
          `Every source is asked once: ${plans.length} of them. Seen: ${begun.length} questions.`
        )
        const last = Math.max(...begun) - Math.min(...begun)
        check(last === 0, `All sources must be asked at once. Seen: the last one was asked ${last} ms after the first.`)
        const expected = soonest(plans, budget)
        check(
          Math.round(seconds * 1000) === expected,
          `With ${budget} ms, where ${show(plans)}, the page comes after ${expected} ms. Seen: ${seconds * 1000} ms.`
        )
      }
    }))

  it.effect("without one it waits for all", () =>
    Effect.gen(function*() {
      const { sources } = makeSources([
        { name: "price", millis: 20, fails: false },
        { name: "reviews", millis: 60_000, fails: false }
      ])
      const { exit, seconds } = yield* run(gather(sources))
      check(
        seconds === 60 && names(pageOf(exit).arrived) === "price, reviews",
        `Without a budget the page waits for all, however long that takes: here 60 s. Seen: ${
          names(pageOf(exit).arrived)
        } after ${seconds} s.`
      )
    }))
})

describe("c: what is missing is named, and what is a bug is not hidden", () => {
  it.effect("late or failed", () =>
    Effect.gen(function*() {
      for (const { budget, plans } of cases) {
        const { exit } = yield* run(gather(makeSources(plans).sources, budget))
        const reasonOf = ({ fails, millis }: Plan) => millis > budget ? "late" : fails ? "failed" : undefined
        const expected = plans.filter((plan) => reasonOf(plan) !== undefined)
          .map((plan) => `${plan.name} ${reasonOf(plan)}`).join(", ")
        const seen = pageOf(exit).missing.map(({ name, reason }) => `${name} ${reason}`).join(", ")
        check(
          seen === expected,
          `With ${budget} ms, where ${show(plans)}, missing is: ${expected || "nothing"}. Seen: ${seen || "nothing"}.`
        )
        const some = plans.some(({ fails, millis }) => !fails && millis < budget)
        check(
          Exit.isSuccess(exit) === some,
          `With ${budget} ms, where ${show(plans)}, ${some ? "something has" : "nothing has"} arrived, so it must ${
            some ? "succeed" : "fail with NothingArrived"
          }. Seen: it ${some ? "failed" : "succeeded"}.`
        )
      }
    }))

  it.effect("a defect", () =>
    Effect.gen(function*() {
      const { sources } = makeSources([{ name: "price", millis: 10, fails: false }])
      const broken: Source = { name: "stock", ask: Effect.delay(Effect.die(new Error("a bug")), "20 millis") }
      const { exit } = yield* run(gather([...sources, broken], 100))
      check(
        Exit.hasDies(exit),
        `A source with a bug is no missing box: the page must die with it, so that somebody mends it. Seen: it ${
          Exit.isSuccess(exit) ? "succeeded, and the bug is hidden" : "failed"
        }.`
      )
    }))
})

describe("d: nobody works on who is not waited for", () => {
  const plans: ReadonlyArray<Plan> = [
    { name: "price", millis: 20, fails: false },
    { name: "stock", millis: 500, fails: false },
    { name: "reviews", millis: 900, fails: false }
  ]

  it.effect("after the budget", () =>
    Effect.gen(function*() {
      const { interrupted, sources } = makeSources(plans)
      yield* run(gather(sources, 100))
      check(
        interrupted.toSorted().join() === "reviews,stock",
        `Whoever is late is interrupted: stock and reviews. Seen: ${interrupted.join(", ") || "nobody"}.`
      )
    }))

  it.effect("when the customer leaves", () =>
    Effect.gen(function*() {
      const { interrupted, sources } = makeSources(plans)
      const fiber = yield* Effect.forkChild(gather(sources), { startImmediately: true })
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(fiber)
      check(
        interrupted.toSorted().join() === "reviews,stock",
        `When the customer leaves, stock and reviews stop. Seen: ${interrupted.join(", ") || "nobody"}.`
      )
    }))
})

describe("e: the same from the deadline of the request", () => {
  it.effect("within a deadline", () =>
    Effect.gen(function*() {
      for (const { budget, plans } of cases) {
        const { interrupted, sources } = makeSources(plans)
        const request = gatherForRequest(sources).pipe(Deadline.within(budget + 50))
        const { exit, seconds } = yield* time(request, { patience: "2 minutes", sentence: "The page must come." })
        const failure = Exit.isFailure(exit) ? expectFailure(exit, "There is nothing to show.") : undefined
        check(
          failure?._tag !== "DeadlineExceeded",
          `With a deadline of ${budget + 50} ms the page must come before it: its last 50 ms are for sending.`
        )
        const page = pageOf(exit as Exit.Exit<Page, NothingArrived>)
        const expected = names(plans.filter(({ fails, millis }) => !fails && millis < budget))
        check(
          names(page.arrived) === expected,
          `With a deadline of ${budget + 50} ms, where ${show(plans)}, the page has ${expected}. Seen: ${
            names(page.arrived)
          }.`
        )
        check(page.missing.length + page.arrived.length === plans.length, "What is missing is named here as well.")
        check(
          Math.round(seconds * 1000) === soonest(plans, budget),
          `With a deadline of ${budget + 50} ms the page comes after ${soonest(plans, budget)} ms, not after ${
            seconds * 1000
          } ms.`
        )
        check(
          interrupted.length === plans.filter(({ millis }) => millis > budget).length,
          "Whoever is late is interrupted here as well."
        )
      }
    }))

  it.effect("outside one", () =>
    Effect.gen(function*() {
      const { sources } = makeSources([{ name: "reviews", millis: 60_000, fails: false }])
      const { exit } = yield* run(gatherForRequest(sources))
      check(names(pageOf(exit).arrived) === "reviews", "Outside a deadline the page waits for all.")
    }))
})
