import { describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { check, expectSuccess } from "../../support.ts"
import { Down, make, type Page, type Served, type Shop } from "./exercise.ts"

type Name = "live" | "cache" | "standard"

/** Three shops that can be switched on and off, and what they were asked. */
const makeShops = (state: { -readonly [name in Name]: "up" | "down" | "broken" | "silent" }) => {
  const asked: Array<Name> = []
  const shop = (name: Name): Shop["Service"] => {
    const answer = Effect.suspend((): Effect.Effect<string, Down> => {
      asked.push(name)
      switch (state[name]) {
        case "up":
          return Effect.succeed(`an offer of ${name}`)
        case "down":
          return Effect.fail(new Down({ shop: name }))
        case "broken":
          return Effect.die(new Error(`a bug in ${name}`))
        case "silent":
          return Effect.never
      }
    })
    const items = Stream.make(`${name} 1`, `${name} 2`)
    return {
      name,
      offer: answer,
      list: Stream.unwrap(Effect.sync(() => {
        asked.push(name)
        return state[name] === "up"
          ? items
          : state[name] === "broken"
          ? Stream.concat(items, Stream.fail(new Down({ shop: name })))
          : Stream.fail(new Down({ shop: name }))
      }))
    }
  }
  return { state, asked, shops: { live: shop("live"), cache: shop("cache"), standard: shop("standard") } }
}

/** What the shops are asked from now on. */
const since = (asked: Array<Name>) => asked.splice(0).join(", ") || "nobody"

const read = (page: Page, wait: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(page.offer, { startImmediately: true })
    yield* TestClock.adjust(wait)
    const exit = fiber.pollUnsafe()
    check(exit !== undefined, `The offer must be there after ${wait} ms, but the page still waits.`)
    return exit
  })

const servedBy = (exit: Exit.Exit<Served, unknown>, name: Name, when: string) => {
  const { offer, served } = expectSuccess(exit, `${when} there must be an offer.`)
  check(offer === `an offer of ${name}`, `${when} the offer must come from ${name}. Seen: ${offer}.`)
  check(served === name, `${when} the page must say that ${name} has served it. It says ${served}.`)
}

const mustAsk = (asked: Array<Name>, expected: string, when: string) => {
  const seen = since(asked)
  check(seen === expected, `${when} these must be asked: ${expected}. Seen: ${seen}.`)
}

describe("a: the steps in their order, with their tries, and who has served", () => {
  it.effect("step by step", () =>
    Effect.gen(function*() {
      const { asked, shops, state } = makeShops({ live: "up", cache: "up", standard: "up" })
      const page = yield* make(shops)
      servedBy(yield* read(page, 0), "live", "When all is well")
      mustAsk(asked, "live", "When all is well")
      state.live = "down"
      const page2 = yield* make(shops)
      servedBy(yield* read(page2, 100), "cache", "When live is down")
      mustAsk(asked, "live, live, cache", "When live is down")
      state.cache = "down"
      const page3 = yield* make(shops)
      servedBy(yield* read(page3, 100), "standard", "When live and cache are down")
      mustAsk(asked, "live, live, cache, standard", "When live and cache are down")
    }))

  it.effect("the second attempt", () =>
    Effect.gen(function*() {
      const { asked, shops, state } = makeShops({ live: "down", cache: "up", standard: "up" })
      const page = yield* make(shops)
      const fiber = yield* Effect.forkChild(page.offer, { startImmediately: true })
      yield* TestClock.adjust(99)
      mustAsk(asked, "live", "In the first 99 ms")
      state.live = "up"
      yield* TestClock.adjust(1)
      servedBy(yield* Fiber.await(fiber), "live", "When live is well again for the second attempt")
    }))
})

const openLive = (page: Page) =>
  Effect.gen(function*() {
    yield* read(page, 100)
    yield* read(page, 100)
  })

describe("b: an open circuit skips its step, and only that one", () => {
  it.effect("live", () =>
    Effect.gen(function*() {
      const { asked, shops, state } = makeShops({ live: "down", cache: "up", standard: "up" })
      const page = yield* make(shops)
      yield* openLive(page)
      since(asked)
      servedBy(yield* read(page, 0), "cache", "When the circuit of live is open")
      mustAsk(asked, "cache", "When the circuit of live is open")
      state.live = "up"
      yield* TestClock.adjust("10 seconds")
      servedBy(yield* read(page, 0), "live", "Ten seconds later, when live is well again,")
    }))

  it.effect("cache", () =>
    Effect.gen(function*() {
      const { asked, shops, state } = makeShops({ live: "down", cache: "down", standard: "up" })
      const page = yield* make(shops)
      yield* openLive(page)
      yield* read(page, 100)
      since(asked)
      servedBy(yield* read(page, 0), "standard", "When the circuits of live and cache are open")
      mustAsk(asked, "standard", "When the circuits of live and cache are open")
      state.standard = "down"
      for (let n = 0; n < 5; n++) yield* read(page, 0)
      since(asked)
      yield* read(page, 0)
      mustAsk(asked, "standard", "Standard has no circuit, however often it fails:")
    }))
})

const downs = (cause: Cause.Cause<unknown>): string =>
  cause.reasons.flatMap((reason) =>
    Cause.isFailReason(reason) && reason.error instanceof Down ? [reason.error.shop] : []
  ).join(", ") || "nobody"

describe("c: when all fail, all causes are told", () => {
  it.effect("three failures", () =>
    Effect.gen(function*() {
      const { shops } = makeShops({ live: "down", cache: "down", standard: "down" })
      const exit = yield* read(yield* make(shops), 100)
      check(Exit.isFailure(exit), "When all fail the page must fail.")
      const seen = downs(exit.cause)
      check(
        seen === "live, cache, standard",
        `When all fail the cause must tell of live, cache and standard. It tells of ${seen}.`
      )
    }))

  it.effect("a defect ends the plan", () =>
    Effect.gen(function*() {
      const { asked, shops } = makeShops({ live: "broken", cache: "up", standard: "up" })
      const exit = yield* read(yield* make(shops), 100)
      check(Exit.hasDies(exit), "A bug in live is no reason to show the cache: the page must die with it.")
      mustAsk(asked, "live", "With a bug in live")
    }))
})

const collect = (page: Page, mode: "fail" | "restart") =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const exit = yield* Effect.exit(
      Stream.runForEach(page.list(mode), (item) => Effect.sync(() => void seen.push(item)))
    )
    return { seen: seen.join(", "), exit }
  })

describe("d: a list that breaks in the middle, both ways", () => {
  for (const mode of ["fail", "restart"] as const) {
    it.effect(mode, () =>
      Effect.gen(function*() {
        const whole = makeShops({ live: "down", cache: "up", standard: "up" })
        const before = yield* collect(yield* make(whole.shops), mode)
        check(
          before.seen === "cache 1, cache 2" && Exit.isSuccess(before.exit),
          `"${mode}", live fails before its first offer: the cache's list is shown. Seen: ${before.seen || "nothing"}.`
        )
        mustAsk(whole.asked, "live, cache", `"${mode}", live fails before its first offer:`)
        const half = makeShops({ live: "broken", cache: "up", standard: "up" })
        const after = yield* collect(yield* make(half.shops), mode)
        if (mode === "fail") {
          check(
            after.seen === "live 1, live 2" && Exit.isFailure(after.exit),
            `"fail", live breaks after two offers: the failure stands. Seen: ${after.seen}.`
          )
          mustAsk(half.asked, "live", "\"fail\", live breaks after two offers:")
        } else {
          check(
            after.seen === "live 1, live 2, cache 1, cache 2" && Exit.isSuccess(after.exit),
            `"restart", live breaks after two offers: the cache's list follows from its start. Seen: ${after.seen}.`
          )
        }
      }))
  }
})

describe("e: leaving stops the whole plan", () => {
  it.effect("in a call, and between two", () =>
    Effect.gen(function*() {
      for (const live of ["silent", "down"] as const) {
        const { asked, shops } = makeShops({ live, cache: "up", standard: "up" })
        const page = yield* make(shops)
        const fiber = yield* Effect.forkChild(page.offer, { startImmediately: true })
        yield* TestClock.adjust(50)
        check(fiber.pollUnsafe() === undefined, `While live is ${live}, nobody else is asked before 100 ms.`)
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("5 seconds")
        mustAsk(asked, "live", `The customer leaves while live is ${live}:`)
      }
    }))
})
