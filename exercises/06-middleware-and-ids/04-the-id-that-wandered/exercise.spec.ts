import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { Propagation, RequestId } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"
import { check } from "../../support.ts"
import { charge, confirm, log, request } from "./exercise.ts"
import { journal, type Line, placeOrder } from "./shop.ts"

const parts = { request, log, charge, confirm }

/** A promise ends between two steps of the clock, so the clock takes many. */
const wait = Effect.forEach(
  Array.from({ length: 100 }),
  () => Effect.andThen(TestClock.adjust("20 millis"), Effect.promise(() => new Promise((done) => setImmediate(done)))),
  { discard: true }
)

const ids = Array.from({ length: 50 }, (_, n) => `r-${n + 1}`)

/** Fifty orders at once. They wait for different times, so that they overtake each other. */
const fifty = Effect.gen(function*() {
  const lines: Array<Line> = []
  const orders = yield* Effect.forEach(
    ids,
    (id, n) => request(id, placeOrder(parts, [20 * ((n * 17) % 23), 20 * ((n * 11) % 19)])),
    { concurrency: "unbounded" }
  ).pipe(Effect.provide(journal(lines)), Effect.forkChild({ startImmediately: true }))
  yield* wait
  yield* Fiber.interrupt(orders)
  return lines
})

const haveTheirIds = (message: string, lines: ReadonlyArray<Line>) => {
  const written = lines.filter((line) => line.message === message)
  check(
    written.length === ids.length,
    `Fifty orders must write "${message}" once each into the log of orders; ${written.length} such lines are there.`
  )
  const without = written.filter((line) => line.request_id === undefined).length
  check(without === 0, `Of fifty lines "${message}" there are ${without} without an id.`)
  const own = new Set(written.map((line) => line.request_id))
  check(
    ids.every((id) => own.has(id)),
    `Fifty orders wrote "${message}" with ${own.size} different ids. One of the ids that wandered: ${
      ids.find((id) => !own.has(id))
    }.`
  )
}

describe("a: an order is received, charged and answered", () => {
  it.effect("alone", () =>
    Effect.gen(function*() {
      const lines: Array<Line> = []
      const order = yield* request("r-1", placeOrder(parts, [20, 20])).pipe(
        Effect.provide(journal(lines)),
        Effect.forkChild({ startImmediately: true })
      )
      yield* wait
      assert.strictEqual(yield* Fiber.join(order), "paid", "The order must be paid for.")
      assert.deepEqual(
        lines.filter((line) => line.request_id === "r-1").map((line) => line.message).filter((message) =>
          ["received", "reserved", "answered"].includes(message)
        ),
        ["received", "reserved", "answered"],
        "The lines of an order must be there, in their order."
      )
    }))
})

describe("b: fifty requests at once, and each line has its own id", () => {
  for (const message of ["received", "reserved", "answered"]) {
    it.effect(message, () => Effect.map(fifty, (lines) => haveTheirIds(message, lines)))
  }
})

describe("c: forked work keeps the id of its request", () => {
  it.effect("mailed", () => Effect.map(fifty, (lines) => haveTheirIds("mailed", lines)))
})

describe("d: work behind a promise keeps it as well", () => {
  it.effect("charged", () => Effect.map(fifty, (lines) => haveTheirIds("charged", lines)))
})

describe("e: the library finds the id too, and after the request nobody does", () => {
  it.effect("inside", () =>
    Effect.gen(function*() {
      const [id, headers] = yield* request(
        "r-1",
        Effect.andThen(Effect.yieldNow, Effect.all([RequestId.Current, Propagation.inject()]))
      )
      assert.strictEqual(
        Option.getOrUndefined(id),
        "r-1",
        "Inside of a request RequestId.Current must be its id; the log alone is not enough."
      )
      assert.strictEqual(headers["x-request-id"], "r-1", "A call to another service must carry the id of the request.")
    }))

  it.effect("afterwards", () =>
    Effect.gen(function*() {
      const lines: Array<Line> = []
      yield* Effect.gen(function*() {
        yield* Effect.exit(request("r-1", Effect.die("a bug")))
        yield* request("r-2", log("working"))
        yield* log("idle")
      }).pipe(Effect.provide(journal(lines)))
      const idle = lines.find((line) => line.message === "idle")
      check(idle !== undefined, "A line that is written outside of a request must be written, too.")
      check(
        idle.request_id === undefined,
        `After the request a line still has the id ${idle.request_id}. It belongs to nobody's request.`
      )
      check(Option.isNone(yield* RequestId.Current), "After the request RequestId.Current must be none.")
    }))

  it.effect("one in the other", () =>
    Effect.gen(function*() {
      const lines: Array<Line> = []
      const inner = Effect.andThen(request("r-2", log("inner")), log("outer"))
      yield* request("r-1", inner).pipe(Effect.provide(journal(lines)))
      assert.deepEqual(
        lines.map((line) => line.request_id),
        ["r-2", "r-1"],
        "After a request inside of another one, the outer one goes on under its own id."
      )
    }))
})
