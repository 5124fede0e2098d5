import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { check, expectSuccess, time } from "../../support.ts"
import {
  call,
  callWithLibrary,
  granted,
  header,
  receive,
  receiveWithLibrary,
  type Reply,
  type Service
} from "./exercise.ts"

const patience = "10 seconds"
const hanging = "The service must answer, but it hangs."

/** A service that notes what it was told. */
const listening = (told: Array<number | undefined>, service: Service): Service => (headers) =>
  Effect.suspend(() => {
    const value = headers[header]
    told.push(value === undefined ? undefined : Number(value))
    return service(headers)
  })

/** Gateway asks orders, orders asks payments; each works 100 ms before it asks. */
const chain = (ask: typeof call, serve: typeof receive, told: Array<number | undefined>) => {
  const payments = listening(told, serve(Effect.as(Effect.sleep("100 millis"), "paid")))
  const orders = listening(
    told,
    serve(Effect.andThen(Effect.sleep("100 millis"), Effect.map(ask(payments), (reply) => `${reply.status}`)))
  )
  return Effect.andThen(Effect.sleep("100 millis"), ask(orders))
}

const ran = { count: 0 }
const counting = Effect.sync(() => {
  ran.count++
  return "done"
})

const bad = [undefined, "", "soon", "NaN", "-1", "Infinity", "1e999", "2 s", "3601", "7200"]

const inHops = (told: ReadonlyArray<number | undefined>) => {
  check(told.length === 2, `Orders and payments must both be asked; ${told.length} of them was.`)
  for (const [hop, value] of told.entries()) {
    check(value !== undefined, `Hop ${hop + 1} was told nothing: send the header "${header}".`)
    check(
      value <= 1,
      `Hop ${hop + 1} was told ${value}. The header holds the seconds that are left, not a time of day.`
    )
  }
  const [orders, payments] = told as [number, number]
  assert.approximately(
    orders,
    0.85,
    0.0005,
    "The gateway has 0.9 s left when it asks, and keeps 50 ms: orders is told 0.85."
  )
  check(payments < orders, `Payments was told ${payments}, orders ${orders}: what is left must shrink at every hop.`)
  assert.approximately(
    payments,
    0.7,
    0.0005,
    "Orders has 0.75 s left when it asks, and keeps 50 ms: payments is told 0.7."
  )
}

describe("a: a quick call is answered", () => {
  it.effect("with time to spare", () =>
    Effect.gen(function*() {
      const { exit } = yield* time(Deadline.within(call(receive(Effect.succeed("paid"))), "1 second"), {
        patience,
        sentence: hanging
      })
      const reply = expectSuccess(exit, "A call that answers at once must be answered.")
      assert.deepEqual({ ...reply }, { status: 200, body: "paid" }, "The answer must be that of the handler.")
    }))

  it.effect("a caller without a deadline sends no header", () =>
    Effect.gen(function*() {
      const told: Array<number | undefined> = []
      yield* time(call(listening(told, receive(Effect.succeed("paid")))), { patience, sentence: hanging })
      assert.deepEqual(told, [undefined], "Where nobody set a deadline there is nothing to hand on.")
    }))
})

describe("b: each hop is told less than the one before", () => {
  it.effect("gateway, orders, payments", () =>
    Effect.gen(function*() {
      const told: Array<number | undefined> = []
      yield* time(Effect.exit(Deadline.within(chain(call, receive, told), "1 second")), { patience, sentence: hanging })
      inHops(told)
    }))
})

describe("c: a header that says nothing grants the default, never everything", () => {
  for (const value of bad) {
    it(JSON.stringify(value) ?? "no header", () => {
      const time = granted(value)
      check(
        Duration.toMillis(time) === 2000,
        `${value === undefined ? "No header" : `The header "${value}"`} must grant 2 s. It grants ${
          Duration.format(time)
        }.`
      )
    })
  }

  for (const [value, millis] of [["1.5", 1500], ["0", 0], ["0.05", 50], ["3600", 3_600_000]] as const) {
    it(value, () => {
      const time = granted(value)
      check(
        Math.abs(Duration.toMillis(time) - millis) < 0.001,
        `The header "${value}" must grant ${millis} ms. It grants ${Duration.format(time)}.`
      )
    })
  }
})

describe("d: nobody works without time", () => {
  it.effect("nothing is granted", () =>
    Effect.gen(function*() {
      ran.count = 0
      const { exit } = yield* time(receive(counting)({ [header]: "0" }), { patience, sentence: hanging })
      const reply = expectSuccess(exit, "A request without time must be answered with 504.")
      check(ran.count === 0, "Nothing was granted, so the handler must not begin. It ran.")
      assert.strictEqual(reply.status, 504, "A request without time is answered with 504.")
    }))

  it.effect("the handler takes too long", () =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* time(receive(Effect.never)({ [header]: "0.5" }), {
        patience,
        sentence: "A handler that takes longer than granted must be interrupted."
      })
      const reply = expectSuccess(exit, "A handler that takes too long must end in an answer of 504.")
      assert.strictEqual(reply.status, 504, "A handler that takes too long is answered with 504.")
      assert.strictEqual(seconds, 0.5, "The header grants 0.5 s, and the answer must come then.")
    }))

  for (const [left, made] of [[30, 0], [50, 0], [60, 1]] as const) {
    it.effect(`a call with ${left} ms left`, () =>
      Effect.gen(function*() {
        const told: Array<number | undefined> = []
        const service: Service = listening(told, () => Effect.succeed<Reply>({ status: 200 }))
        const { exit } = yield* time(Deadline.within(call(service), left), { patience, sentence: hanging })
        const reply = expectSuccess(exit, "A call must end in an answer, be it 504.")
        check(
          told.length === made,
          `With ${left} ms left and 50 ms for the road ${
            made === 0 ? "nothing remains: the call must not be made" : "10 ms remain: the call must be made"
          }.`
        )
        assert.strictEqual(reply.status, made === 0 ? 504 : 200, "A call that is not made is answered with 504.")
      }))
  }
})

describe("e: the same with the library", () => {
  it.effect("it hands on what is left", () =>
    Effect.gen(function*() {
      const told: Array<number | undefined> = []
      yield* time(Effect.exit(Deadline.within(chain(callWithLibrary, receiveWithLibrary, told), "1 second")), {
        patience,
        sentence: hanging
      })
      inHops(told)
    }))

  for (const value of [...bad, "1.5", "0.05"]) {
    it.effect(`it grants the same for ${value === undefined ? "no header" : JSON.stringify(value)}`, () =>
      Effect.gen(function*() {
        let left: number | undefined
        const handler = Effect.map(Deadline.remaining, (remaining) => {
          left = Option.getOrUndefined(Option.map(remaining, Duration.toMillis))
          return "done"
        })
        const { exit } = yield* time(receiveWithLibrary(handler)({ [header]: value }), { patience, sentence: hanging })
        const reply = expectSuccess(exit, "A handler that answers at once must be answered.")
        assert.deepEqual({ ...reply }, { status: 200, body: "done" }, "The answer must be that of the handler.")
        const expected = Number(value) > 0 && Number(value) <= 3600 ? Number(value) * 1000 : 2000
        check(
          left !== undefined && Math.abs(left - expected) < 0.001,
          `${value === undefined ? "No header" : `The header "${value}"`} must grant ${expected} ms. The handler has ${
            left ?? "no limit"
          }.`
        )
      }))
  }

  it.effect("the handler takes too long", () =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* time(receiveWithLibrary(Effect.never)({ [header]: "0.5" }), {
        patience,
        sentence: "A deadline that only informs does not end a handler."
      })
      assert.strictEqual(
        expectSuccess(exit, "The error must be answered with 504.").status,
        504,
        "Too late is 504."
      )
      assert.strictEqual(seconds, 0.5, "The header grants 0.5 s, and the answer must come then.")
    }))

  it.effect("nothing is granted", () =>
    Effect.gen(function*() {
      ran.count = 0
      yield* time(receiveWithLibrary(counting)({ [header]: "0" }), { patience, sentence: hanging })
      check(ran.count === 0, "Nothing was granted, so the handler must not begin. It ran.")
    }))
})
