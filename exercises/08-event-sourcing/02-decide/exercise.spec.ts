import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { decide, Show } from "./exercise.ts"
import { type Command, type Event, evolve, Rejected, replay, Reserve, sold, start, type State } from "./show.ts"

const at = 86_400_000
const open = (seats: number): Command => ({ _tag: "Open", seats, at })
const reserve = (customer: string, seats: number): Command => ({ _tag: "Reserve", customer, seats, at })
const release = (customer: string, seats: number): Command => ({ _tag: "Release", customer, seats, at })
const close: Command = { _tag: "Close", at }

const opened: Event = { _tag: "Opened", seats: 10, at: 1 }
const ada = (seats: number): Event => ({ _tag: "Reserved", customer: "ada", seats, at: 2 })
const bob = (seats: number): Event => ({ _tag: "Reserved", customer: "bob", seats, at: 2 })
const closed: Event = { _tag: "Closed", at: 3 }

const words = ({ _tag, ...fields }: Command | Event): string => {
  const { at: _, ...said } = fields
  return [_tag, ...Object.values(said)].join(" ")
}

const asked = (history: ReadonlyArray<Event>, command: Command): string =>
  `After [${history.map(words).join(", ")}], "${words(command)}"`

const ask = (history: ReadonlyArray<Event>, command: Command): Result.Result<ReadonlyArray<Event>, Rejected> => {
  try {
    return decide(replay(history), command)
  } catch (error) {
    return assert.fail(`${asked(history, command)}: a rejection is a value, not thrown. Seen: ${String(error)}.`)
  }
}

const accepted = (history: ReadonlyArray<Event>, command: Command, event: Event): void => {
  const decision = ask(history, command)
  check(
    Result.isSuccess(decision),
    `${asked(history, command)} must be accepted. Seen: ${Result.isFailure(decision) ? decision.failure.reason : ""}.`
  )
  const [first] = decision.success
  check(
    first?.at === undefined || first.at === event.at,
    `${asked(history, command)}: the event has the time of the command, ${at}. Seen: ${first?.at}.`
  )
  assert.deepEqual(decision.success, [event], `${asked(history, command)} must give one event.`)
}

const rejected = (history: ReadonlyArray<Event>, command: Command, reason: Rejected["reason"]): void => {
  const decision = ask(history, command)
  check(
    Result.isFailure(decision),
    `${asked(history, command)} must be rejected with ${reason}. Seen: it was accepted.`
  )
  check(decision.failure instanceof Rejected, `${asked(history, command)} must be rejected with a Rejected.`)
  assert.strictEqual(decision.failure.reason, reason, `${asked(history, command)} is rejected with ${reason}.`)
}

const deepFreeze = <A extends object>(value: A): A => {
  for (const part of Object.values(value)) if (typeof part === "object" && part !== null) deepFreeze(part)
  return Object.freeze(value)
}

describe("a: deciding changes nothing", () => {
  it("the state and the command stay", () => {
    const state = deepFreeze(replay([opened, ada(2)]))
    for (const command of [open(5), reserve("ada", 2), release("ada", 1), close]) {
      try {
        decide(state, deepFreeze({ ...command }))
      } catch (error) {
        check(!(error instanceof TypeError), `Deciding must not change what it was given. Seen: ${String(error)}.`)
      }
    }
  })
})

describe("b: what may be done is done", () => {
  it("with one event, at the time of the command", () => {
    accepted([], open(10), { _tag: "Opened", seats: 10, at })
    accepted([opened], reserve("ada", 2), { _tag: "Reserved", customer: "ada", seats: 2, at })
    accepted([opened, ada(2)], release("ada", 1), { _tag: "Released", customer: "ada", seats: 1, at })
    accepted([opened, ada(2)], close, { _tag: "Closed", at })
  })

  it("up to the limit", () => {
    accepted([opened], reserve("ada", 6), { _tag: "Reserved", customer: "ada", seats: 6, at })
    accepted([opened, ada(4)], reserve("ada", 2), { _tag: "Reserved", customer: "ada", seats: 2, at })
    accepted([opened, ada(6)], reserve("bob", 4), { _tag: "Reserved", customer: "bob", seats: 4, at })
    accepted([opened, ada(2)], release("ada", 2), { _tag: "Released", customer: "ada", seats: 2, at })
    accepted([], open(1), { _tag: "Opened", seats: 1, at })
  })
})

describe("c: what may not be done is rejected, with the reason", () => {
  it("open", () => {
    rejected([opened], open(10), "AlreadyOpen")
    rejected([{ ...opened, seats: 1 }], open(10), "AlreadyOpen")
    rejected([opened, closed], open(10), "AlreadyOpen")
    for (const seats of [0, -1, 1.5, Number.NaN]) rejected([], open(seats), "BadNumber")
  })

  it("reserve", () => {
    rejected([], reserve("ada", 1), "NotOpen")
    rejected([opened, closed], reserve("ada", 1), "NotOpen")
    for (const seats of [0, -2, 0.5, Number.NaN]) rejected([opened], reserve("ada", seats), "BadNumber")
    rejected([opened], reserve("ada", 7), "TooManyForOne")
    rejected([opened, ada(4)], reserve("ada", 3), "TooManyForOne")
    rejected([opened, ada(6), bob(3)], reserve("bob", 2), "SoldOut")
    rejected([opened, ada(6), bob(4)], reserve("cyd", 1), "SoldOut")
    rejected([opened, ada(6), bob(4)], reserve("ada", 1), "TooManyForOne")
  })

  it("release and close", () => {
    rejected([opened, ada(2)], release("ada", 3), "NotYours")
    rejected([opened, ada(2)], release("bob", 1), "NotYours")
    rejected([opened, ada(2)], release("ada", -1), "BadNumber")
    rejected([opened, ada(2), closed], release("ada", 1), "NotOpen")
    rejected([], close, "NotOpen")
    rejected([opened, closed], close, "NotOpen")
  })
})

const Customer = Schema.Literals(["ada", "bob", "cyd"])
const Seats = Schema.Int.check(Schema.isBetween({ minimum: -1, maximum: 8 }))
const At = Schema.Literal(at)
const AnyCommand = Schema.Union([
  Schema.Struct({ _tag: Schema.tag("Reserve"), customer: Customer, seats: Seats, at: At }),
  Schema.Struct({ _tag: Schema.tag("Release"), customer: Customer, seats: Seats, at: At })
])

/** Decides one command after the other and looks at the rules after each. */
const sell = (seats: number, commands: ReadonlyArray<Command>): State => {
  let state = start
  for (const command of [open(seats), ...commands]) {
    const before = state
    const said = `"${words(command)}", with ${JSON.stringify(before.taken)} of ${before.seats} seats taken`
    let decision: ReturnType<typeof decide>
    try {
      decision = decide(before, command)
    } catch (error) {
      return assert.fail(`Asked ${said}: a rejection is a value, not thrown. Seen: ${String(error)}.`)
    }
    if (Result.isFailure(decision)) continue
    check(decision.success.length > 0, `Asked ${said}: it was accepted, so there is at least one event. Seen: none.`)
    state = decision.success.reduce(evolve, before)
    check(sold(state) <= state.seats, `Asked ${said}: no seat is sold twice. Seen: ${sold(state)} sold.`)
    for (const [customer, mine] of Object.entries(state.taken)) {
      check(mine >= 0 && mine <= 6, `Asked ${said}: a customer has up to 6 seats. Seen: ${customer} has ${mine}.`)
    }
  }
  return state
}

describe("d: after any commands the rules hold", () => {
  it("many customers at once", () => {
    const many = Array.from({ length: 40 }, (_, index) => reserve(`customer ${index % 8}`, 1 + index % 4))
    const state = sell(25, many)
    check(sold(state) === 25, `Enough was asked for to sell all 25 seats. Seen: ${sold(state)} sold.`)
  })

  it("one customer, many times", () => {
    const state = sell(100, [
      reserve("ada", 4),
      reserve("ada", 4),
      release("ada", 1),
      reserve("ada", 3),
      reserve("ada", 4)
    ])
    check(state.taken["ada"] === 6, `Ada has 4, gives back 1 and gets 3. Seen: ${state.taken["ada"]}.`)
  })

  it.prop("whatever is asked", [Schema.Array(AnyCommand)], ([commands]) => void sell(9, commands))

  it("asked twice in the same state, it says the same", () => {
    const state = replay([opened, ada(2)])
    for (const command of [reserve("ada", 2), reserve("bob", 9), release("ada", 2), close]) {
      const decisions = Array.from({ length: 20 }, () => JSON.stringify(decide(state, command)))
      check(
        new Set(decisions).size === 1,
        `Asked twice in the same state, "${words(command)}" is decided the same way.`
      )
    }
  })
})

describe("e: the same with the library", () => {
  const ask = (history: ReadonlyArray<Event>, seats: number) =>
    Effect.exit(Aggregate.decide(Show, Reserve, replay(history), { show: "hamlet", customer: "ada", seats, at }))

  it.effect("accepted", () =>
    Effect.gen(function*() {
      const events = expectSuccess(yield* ask([opened], 2), "Two of ten seats can be reserved.")
      const wanted = [{ _tag: "Reserved", customer: "ada", seats: 2, at }]
      assert.deepEqual(JSON.parse(JSON.stringify(events)), wanted, "The decision is one event.")
    }))

  it.effect("rejected", () =>
    Effect.gen(function*() {
      const error = expectFailure(yield* ask([opened, bob(9)], 2), "Two seats of one cannot be reserved.")
      check(error._tag === "Rejected", `A rejection keeps its type. Seen: ${error._tag}.`)
      assert.strictEqual(error.reason, "SoldOut", "A rejection keeps its reason.")
    }))
})
