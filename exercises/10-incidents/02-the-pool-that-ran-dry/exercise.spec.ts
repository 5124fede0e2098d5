import { describe, it } from "@effect/vitest"
import { Effect, type Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { check, expectSuccess } from "../../support.ts"
import { type Answer, connections, make, makeWithLibrary, type Place } from "./exercise.ts"
import { type Lease, makePool, QueryFailed, type World } from "./pool.ts"

type Make = (world: World) => Effect.Effect<Place>

const takes = (millis: number): Effect.Effect<void> => millis === 0 ? Effect.void : Effect.sleep(millis)

const makeWorld = (options: {
  readonly statement?: number
  readonly fraud?: number
  readonly stock?: Lease["stock"]
  readonly write?: Lease["write"]
  readonly verdict?: Effect.Effect<boolean>
} = {}) => {
  const statement = takes(options.statement ?? 20)
  const { figures, inUse, pool } = makePool(5, {
    stock: Effect.andThen(statement, options.stock ?? Effect.succeed(1)),
    write: Effect.andThen(statement, options.write ?? Effect.void)
  })
  const heldOutside: Array<number> = []
  let asked = 0
  const fraud = Effect.suspend(() => {
    asked++
    heldOutside.push(inUse())
    return Effect.andThen(takes(options.fraud ?? 300), options.verdict ?? Effect.succeed(false))
  })
  return { world: { pool, fraud }, inUse, figures, heldOutside, asked: () => asked }
}

const ends = (fiber: Fiber.Fiber<Answer>, name: string) => {
  const exit = fiber.pollUnsafe()
  check(exit !== undefined, `${name} must have ended by now, but it still waits.`)
  return exit
}

const status = (exit: Exit.Exit<Answer>, expected: number, name: string) => {
  const answer = expectSuccess(exit, `${name} must be answered.`)
  check(answer.status === expected, `${name} must be answered with ${expected}, not with ${answer.status}.`)
  return answer
}

const start = (place: Place) => Effect.forkChild(place, { startImmediately: true })

type Way = readonly [name: string, world: Parameters<typeof makeWorld>[0], status: number | undefined]

const ways: ReadonlyArray<Way> = [
  ["An order", {}, 201],
  ["An order of a book that is sold out", { stock: Effect.succeed(0) }, 409],
  ["An order that looks like fraud", { verdict: Effect.succeed(true) }, 403],
  ["An order whose first statement fails", { stock: Effect.fail(new QueryFailed()) }, 500],
  ["An order whose second statement fails", { write: Effect.fail(new QueryFailed()) }, 500],
  ["A bug in the first statement", { stock: Effect.die("a bug") }, undefined],
  ["A bug in the second statement", { write: Effect.die("a bug") }, undefined]
]

const comeBack = (make: Make) =>
  Effect.gen(function*() {
    for (const [name, options, expected] of ways) {
      const { figures, inUse, world } = makeWorld(options)
      const place = yield* make(world)
      for (let n = 0; n < 7; n++) {
        const fiber = yield* start(place)
        yield* TestClock.adjust("5 seconds")
        const exit = ends(fiber, `${name}, number ${n + 1} in a row,`)
        if (expected !== undefined) status(exit, expected, name)
      }
      check(inUse() === 0, `${name} keeps its lease: ${inUse()} did not come back.`)
      check(figures.givenTwice === 0, `${name} gives a lease back twice.`)
    }
  })

const comeBackFromLeaving = (make: Make) =>
  Effect.gen(function*() {
    for (const moment of [10, 30, 325]) {
      const { figures, inUse, world } = makeWorld()
      const place = yield* make(world)
      const fiber = yield* start(place)
      yield* TestClock.adjust(moment)
      yield* Fiber.interrupt(fiber)
      check(inUse() === 0, `A customer leaves after ${moment} ms, and the lease does not come back.`)
      check(figures.givenTwice === 0, `A customer leaves after ${moment} ms, and the lease comes back twice.`)
    }
    const { inUse, world } = makeWorld({ statement: 700 })
    const place = yield* make(world)
    const fibers = yield* Effect.forEach(Array.from({ length: 12 }), () => start(place))
    yield* TestClock.adjust(100)
    yield* Effect.forEach(fibers, (fiber) => Effect.forkChild(Fiber.interrupt(fiber)))
    yield* TestClock.adjust("5 seconds")
    check(inUse() === 0, "Twelve customers leave, seven of them while they wait, and some leases do not come back.")
    const next = yield* start(place)
    yield* TestClock.adjust("5 seconds")
    status(ends(next, "An order after twelve customers have left"), 201, "An order after twelve customers have left")
  })

const notHeld = (make: Make) =>
  Effect.gen(function*() {
    const { asked, heldOutside, world } = makeWorld()
    const place = yield* make(world)
    const fiber = yield* start(place)
    yield* TestClock.adjust("1 second")
    status(ends(fiber, "An order"), 201, "An order")
    check(asked() === 1, "The fraud service is asked once for each order.")
    check(heldOutside[0] === 0, "An order holds a lease while it asks the fraud service.")
  })

const fifty = (make: Make) =>
  Effect.gen(function*() {
    const { inUse, world } = makeWorld()
    const place = yield* make(world)
    const fibers = yield* Effect.forEach(Array.from({ length: 50 }), () => start(place))
    yield* TestClock.adjust("1 second")
    for (const [n, fiber] of fibers.entries()) {
      status(ends(fiber, `Order ${n + 1} of 50 at once`), 201, `Order ${n + 1} of 50 at once`)
    }
    check(inUse() === 0, "After 50 orders at once some leases did not come back.")
  })

const notLonger = (make: Make) =>
  Effect.gen(function*() {
    const { inUse, world } = makeWorld({ statement: 1500, fraud: 0 })
    const place = yield* make(world)
    const fibers = yield* Effect.forEach(Array.from({ length: 8 }), () => start(place))
    yield* TestClock.adjust(999)
    check(
      fibers.every((fiber) => fiber.pollUnsafe() === undefined),
      "An order that has waited for less than a second must go on waiting."
    )
    yield* TestClock.adjust(1)
    for (const fiber of fibers.slice(5)) {
      const { headers } = status(
        ends(fiber, "An order that has waited for a second"),
        503,
        "An order that has waited for a second"
      )
      const seconds = headers["retry-after"] ?? "nothing"
      check(/^[1-9]\d*$/.test(seconds), `A 503 must say when to come back, in whole seconds. It says ${seconds}.`)
    }
    yield* TestClock.adjust("10 seconds")
    for (const fiber of fibers.slice(0, 5)) status(ends(fiber, "A slow order"), 201, "A slow order")
    check(inUse() === 0, "After a refusal some leases did not come back.")
  })

const onlyTheWait = (make: Make) =>
  Effect.gen(function*() {
    const { world } = makeWorld({ fraud: 4000, statement: 1200 })
    const place = yield* make(world)
    const fiber = yield* start(place)
    yield* TestClock.adjust("10 seconds")
    status(
      ends(fiber, "An order that does not wait, and takes 6.4 s"),
      201,
      "An order that does not wait, and takes 6.4 s"
    )
  })

describe("a: every lease comes back, on every way out", () => {
  it.effect("however it ends", () => comeBack(make))
  it.effect("also when the customer leaves", () => comeBackFromLeaving(make))
})

describe("b: no lease is held over the call to another service", () => {
  it.effect("between the two statements", () => notHeld(make))
  it.effect("so fifty at once all finish", () => fifty(make))
  it("with five connections", () => {
    check(connections === 5, `There are five connections: ${connections} is another database.`)
  })
})

describe("c: nobody waits for a lease longer than a second", () => {
  it.effect("503 after a second", () => notLonger(make))
  it.effect("but the whole order may take longer", () => onlyTheWait(make))
})

describe("d: the same with the library's Bulkhead as the waiting line", () => {
  it.effect("however it ends", () => comeBack(makeWithLibrary))
  it.effect("also when the customer leaves", () => comeBackFromLeaving(makeWithLibrary))
  it.effect("between the two statements", () => notHeld(makeWithLibrary))
  it.effect("so fifty at once all finish", () => fifty(makeWithLibrary))
  it.effect("503 after a second", () => notLonger(makeWithLibrary))
  it.effect("but the whole order may take longer", () => onlyTheWait(makeWithLibrary))
  it.effect("the refusal says when", () =>
    Effect.gen(function*() {
      const { world } = makeWorld({ statement: 2500, fraud: 0 })
      const place = yield* makeWithLibrary(world)
      // Five orders show the bulkhead that a lease is held for 2.5 s.
      const first = yield* Effect.forEach(Array.from({ length: 5 }), () => start(place))
      yield* TestClock.adjust("6 seconds")
      for (const fiber of first) status(ends(fiber, "A slow order"), 201, "A slow order")
      const fibers = yield* Effect.forEach(Array.from({ length: 12 }), () => start(place))
      yield* TestClock.adjust("1 second")
      const said = fibers.slice(5).map((fiber) =>
        status(ends(fiber, "An order that has waited for a second"), 503, "An order that has waited for a second")
          .headers["retry-after"] ?? "nothing"
      )
      check(
        said.sort().join() === "1,1,2,2,3,3,4",
        `Seven orders wait for five leases of 2.5 s: they are told what the bulkhead says, in seconds, rounded up. Seen: ${said.join()}.`
      )
    }))

  it.effect("nobody waits inside the pool", () =>
    Effect.gen(function*() {
      const { figures, world } = makeWorld()
      const place = yield* makeWithLibrary(world)
      const fibers = yield* Effect.forEach(Array.from({ length: 50 }), () => start(place))
      yield* TestClock.adjust("1 second")
      for (const fiber of fibers) status(ends(fiber, "An order"), 201, "An order")
      check(figures.waited === 0, `${figures.waited} times somebody waited inside the pool, past the bulkhead.`)
    }))
})
