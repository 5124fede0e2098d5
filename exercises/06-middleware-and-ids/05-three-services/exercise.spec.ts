import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { check } from "../../support.ts"
import { call, logs, receive, reconstruct, type Visit } from "./exercise.ts"
import { emptyStores, open, type ServiceName, type Stores, type Weather } from "./shop.ts"

const names: ReadonlyArray<ServiceName> = ["gateway", "users", "orders", "payments"]

/** Sends one request for each order, five milliseconds apart, and gives the answers and the logs. */
const story = (orders: ReadonlyArray<number>, weather: Weather = {}) =>
  Effect.gen(function*() {
    const stores = emptyStores()
    const gateway = open({ logs, receive, call }, stores, weather)
    const fiber = yield* Effect.forEach(
      orders,
      (order, n) => Effect.delay(gateway(order, { "x-request-id": `r-${order}` }), 5 * n),
      { concurrency: "unbounded" }
    ).pipe(Effect.forkChild({ startImmediately: true }))
    yield* TestClock.adjust("1 second")
    check(fiber.pollUnsafe() !== undefined, "The gateway must answer, but it hangs.")
    return { replies: yield* Fiber.join(fiber), stores }
  })

interface Line {
  readonly [field: string]: unknown
}

const linesOf = (stores: Stores, name: ServiceName): Array<Line> => stores[name].map((line) => JSON.parse(line) as Line)

const allLines = (stores: Stores): Array<Line> => names.flatMap((name) => linesOf(stores, name))

/** Gives the tree, with the stores of the services in an order that says nothing. */
const treeOf = (id: string, stores: Stores): string => {
  const { gateway, orders, payments, users } = stores
  const told = Result.try(() => reconstruct(id, { payments, users, orders, gateway }))
  if (Result.isFailure(told)) {
    return assert.fail(`The story of ${id} must be told, but reconstruct throws: ${told.failure}.`)
  }
  const visit = told.success
  check(visit !== undefined, `The logs must tell the story of ${id}, and there is none.`)
  const draw = (visit: Visit, depth: number): string =>
    [
      `${"  ".repeat(depth)}${visit.service}: ${visit.lines.join(", ")}`,
      ...visit.children.map((child) => draw(child, depth + 1))
    ].join("\n")
  return draw(visit, 0)
}

const expectTree = (stores: Stores, order: number, expected: ReadonlyArray<string>, sentence: string) => {
  const seen = treeOf(`r-${order}`, stores)
  check(
    seen === expected.join("\n"),
    `${sentence} The story of r-${order} should be\n${expected.join("\n")}\nand is\n${seen}\n.`
  )
}

const calm = (order: number) => [
  `gateway: asked for /checkout/${order}, answered 200`,
  `  orders: asked for /orders/${order}, charged`,
  `    payments: asked for /charges/${order}`,
  `  users: asked for /users/${order}, the limit is known`,
  `    payments: asked for /limits/${order}`
]

describe("a: the shop answers as before", () => {
  it.effect("each call is made once", () =>
    Effect.gen(function*() {
      const { replies, stores } = yield* story([17])
      assert.deepEqual(replies.map((reply) => reply.status), [200], "The order must be placed.")
      assert.deepEqual(
        names.map((name) => stores[name].filter((line) => line.includes("asked for")).length),
        [1, 1, 1, 2],
        "Each service must be asked as often as the handlers ask it: payments twice, the others once."
      )
    }))
})

describe("b: every line says request, service and span", () => {
  it.effect("fields", () =>
    Effect.gen(function*() {
      const { stores } = yield* story([17], { refusals: 1 })
      for (const name of names) {
        check(
          stores[name].length > 0,
          `The log of ${name} is empty. Its handler must run, and what it says be written.`
        )
        for (const line of linesOf(stores, name)) {
          const text = JSON.stringify(line)
          check(line["request_id"] === "r-17", `A line of ${name} has not the id of its request, r-17: ${text}.`)
          check(line["service"] === name, `A line of ${name} does not name its service: ${text}.`)
          check(
            typeof line["span_id"] === "string" && line["span_id"] !== "",
            `A line of ${name} does not say which visit it belongs to: ${text}.`
          )
          check(
            typeof line["time"] === "string" && !Number.isNaN(Date.parse(line["time"])),
            `A line of ${name} does not say when: ${text}.`
          )
        }
      }
    }))

  it.effect("a visit has one span, and no other has it", () =>
    Effect.gen(function*() {
      const { stores } = yield* story([17], { refusals: 1 })
      const visits = allLines(stores).filter((line) => String(line["message"]).startsWith("asked for"))
      const spans = new Set(visits.map((line) => line["span_id"]))
      check(
        spans.size === 6,
        `Six visits were made: gateway, users and orders one each, payments three. The logs know ${spans.size} spans.`
      )
      const others = allLines(stores).map((line) => line["span_id"])
      check(others.every((span) => spans.has(span)), "A line has another span than the visit it was written in.")
    }))
})

describe("c: one id from the gateway to the last service", () => {
  it.effect("one request", () =>
    Effect.gen(function*() {
      const { stores } = yield* story([17])
      const ids = new Set(allLines(stores).map((line) => line["request_id"]))
      assert.deepEqual([...ids], ["r-17"], "All lines of one request must have the id that the edge gave it.")
    }))

  it.effect("two requests at once", () =>
    Effect.gen(function*() {
      const { stores } = yield* story([17, 18])
      for (const name of names) {
        for (const line of linesOf(stores, name)) {
          const order = /\/(\d+)$/.exec(String(line["message"]))?.[1]
          if (order === undefined) continue
          check(
            line["request_id"] === `r-${order}`,
            `A line of ${name}, "${line["message"]}", belongs to r-${order} and says ${line["request_id"]}.`
          )
        }
      }
    }))
})

describe("d: the tree shows who called whom, and retries side by side", () => {
  it.effect("two legs at once", () =>
    Effect.gen(function*() {
      const { stores } = yield* story([17])
      expectTree(stores, 17, calm(17), "The gateway asks orders and users, and each of them payments.")
    }))

  it.effect("a retry", () =>
    Effect.gen(function*() {
      const { stores } = yield* story([17], { refusals: 1 })
      expectTree(
        stores,
        17,
        [
          "gateway: asked for /checkout/17, answered 200",
          "  orders: asked for /orders/17, charged",
          "    payments: asked for /charges/17, the card company is away",
          "    payments: asked for /charges/17",
          "  users: asked for /users/17, the limit is known",
          "    payments: asked for /limits/17"
        ],
        "Orders asks payments twice, and both visits belong below orders."
      )
    }))

  it.effect("an id that nobody has heard of", () =>
    Effect.gen(function*() {
      const { stores } = yield* story([17])
      check(reconstruct("r-18", stores) === undefined, "Nobody has heard of r-18, so there is no story to tell.")
      check(reconstruct("r-17", stores) !== undefined, "The logs must tell the story of r-17, and there is none.")
    }))
})

describe("e: the tree stands when legs fail and requests overlap", () => {
  it.effect("a leg with a bug", () =>
    Effect.gen(function*() {
      const { replies, stores } = yield* story([17], { usersBroken: true, refusals: 2 })
      assert.deepEqual(replies.map((reply) => reply.status), [503], "What the handlers answer must come out unchanged.")
      expectTree(
        stores,
        17,
        [
          "gateway: asked for /checkout/17, answered 503",
          "  orders: asked for /orders/17, not charged",
          "    payments: asked for /charges/17, the card company is away",
          "    payments: asked for /charges/17, the card company is away",
          "  users: asked for /users/17",
          "    payments: asked for /limits/17"
        ],
        "A leg that fails has a story as well."
      )
    }))

  for (const usersMillis of [0, 2, 6, 11]) {
    it.effect(`four requests at once, and ${usersMillis} ms to users`, () =>
      Effect.gen(function*() {
        const orders = [17, 18, 19, 20]
        const { stores } = yield* story(orders, { usersMillis })
        for (const order of orders) {
          const [root = "", a = "", b = "", c = "", d = ""] = calm(order)
          const expected = usersMillis === 0 ? [root, c, d, a, b] : [root, a, b, c, d]
          expectTree(stores, order, expected, "Requests that overlap must not take visits from each other.")
        }
      }))
  }
})
