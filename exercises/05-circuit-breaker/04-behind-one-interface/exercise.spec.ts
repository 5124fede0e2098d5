import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, type Scope } from "effect"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { check } from "../../support.ts"
import { type Call, Invalid, type Policy, Refused, Unavailable } from "./circuit.ts"
import { type Door, fromEffect, makeAdapted, makeClient, makeOurs, makeOwn } from "./exercise.ts"

const policy: Policy = { failures: 3, openMillis: 10_000 }

type Make = Effect.Effect<Door, never, Scope.Scope>

const theirs: Make = EffectBreaker.make({
  tripPolicy: EffectBreaker.consecutive(policy.failures),
  openDuration: policy.openMillis
}).pipe(Effect.map(fromEffect), Effect.provide(EffectBreaker.layerStoreMemory()))

const paid: Call = Effect.succeed("paid")
const down: Call = Effect.fail(new Unavailable())
const invalid: Call = Effect.fail(new Invalid())

type Run = Door["run"]

/** Makes a call that ends at once, and says whether it was made and how it ended. */
const tries = (run: Run, host: string, call: Call) =>
  Effect.gen(function*() {
    let made = false
    const fiber = yield* Effect.forkChild(
      run(
        host,
        Effect.suspend(() => {
          made = true
          return call
        })
      ),
      { startImmediately: true }
    )
    yield* Effect.yieldNow.pipe(Effect.repeat({ times: 50 }))
    const exit = fiber.pollUnsafe()
    check(exit !== undefined, "A call must be made or refused at once, but this one waits.")
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (!made) check(error instanceof Refused, "A call that is not made must fail with Refused.")
    else check(!(error instanceof Refused), "A call that was made must not fail with Refused.")
    return { made, exit, error }
  })

const mustMake = (run: Run, host: string, call: Call, when: string) =>
  Effect.map(tries(run, host, call), ({ error, exit, made }) => {
    check(made, `${when} the call must be made.`)
    const kept = call === paid
      ? Exit.isSuccess(exit) && exit.value === "paid"
      : call === down
      ? error instanceof Unavailable
      : error instanceof Invalid
    check(kept, `${when} the caller must get what the service said.`)
  })

const mustRefuse = (run: Run, host: string, when: string) =>
  Effect.map(tries(run, host, paid), ({ made }) => check(!made, `${when} the call must be refused.`))

const trip = (run: Run, host: string) =>
  Effect.forEach([1, 2, 3], (n) => mustMake(run, host, down, `Failure ${n} of ${host}:`))

const opens = (make: Make) =>
  Effect.gen(function*() {
    const { run } = yield* make
    for (const call of [down, down, paid, down, down, invalid]) {
      yield* mustMake(run, "payments", call, "Before it opens")
    }
    yield* mustMake(run, "payments", down, "After two failures and one that is invalid")
    yield* mustRefuse(run, "payments", "After three failures in a row")
    yield* mustMake(run, "stock", paid, "While payments is down, and stock is well,")
    yield* mustMake(run, "stock", down, "After a first failure of stock")
    yield* mustMake(run, "stock", down, "After a second failure of stock")
    yield* mustMake(run, "stock", down, "After a second failure of stock")
    yield* mustRefuse(run, "stock", "After three failures of stock")
    yield* mustMake(run, "mail", paid, "While two others are down, and mail is well,")
  })

const closes = (make: Make) =>
  Effect.gen(function*() {
    const { run } = yield* make
    yield* trip(run, "payments")
    yield* TestClock.adjust(policy.openMillis - 1)
    yield* mustRefuse(run, "payments", "A millisecond before the time is over")
    yield* TestClock.adjust(1)
    const end = yield* Deferred.make<string, Unavailable>()
    const probe = yield* Effect.forkChild(run("payments", Deferred.await(end)), { startImmediately: true })
    yield* mustRefuse(run, "payments", "While the probe is under way")
    yield* Deferred.fail(end, new Unavailable())
    yield* Fiber.await(probe)
    yield* mustRefuse(run, "payments", "After the probe has failed")
    yield* TestClock.adjust(policy.openMillis)
    yield* mustMake(run, "payments", paid, "When the time is over again")
    yield* mustMake(run, "payments", down, "After the probe has succeeded")
    yield* mustMake(run, "payments", paid, "After the probe has succeeded, and one failure,")
  })

const together = (make: Make) =>
  Effect.gen(function*() {
    const { run } = yield* make
    const ends = [yield* Deferred.make<string, Unavailable>(), yield* Deferred.make<string, Unavailable>()]
    const third = yield* Deferred.make<string, Unavailable>()
    const calls = [...ends, third].map((end) => Effect.exit(run("payments", Deferred.await(end))))
    const fiber = yield* Effect.forkChild(Effect.all(calls, { concurrency: "unbounded" }), { startImmediately: true })
    yield* Effect.yieldNow
    for (const end of [...ends, third]) yield* Deferred.fail(end, new Unavailable())
    yield* Fiber.await(fiber)
    yield* mustRefuse(run, "payments", "After three calls that began together as the first ones, and failed,")
  })

const neutral = (make: Make) =>
  Effect.gen(function*() {
    const { run } = yield* make
    for (let n = 0; n < 5; n++) {
      const fiber = yield* Effect.forkChild(run("payments", Effect.never), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      yield* mustMake(run, "payments", invalid, "However many calls were invalid or interrupted")
    }
    yield* mustMake(run, "payments", paid, "After five interruptions and five that were invalid")
  })

const contract = (make: Make) => {
  it.effect("opens, for one host", () => opens(make))
  it.effect("closes by one probe", () => closes(make))
  it.effect("counts calls that began together", () => together(make))
  it.effect("knows what says nothing", () => neutral(make))
}

describe("a: your own: a circuit for each host", () => {
  contract(makeOwn(policy))
})

describe("b: the library's", () => {
  contract(makeOurs(policy))
})

describe("c: Effect's, and the library's in its place", () => {
  describe("Effect's", () => contract(theirs))
  describe("adapted", () => contract(makeAdapted(policy)))
})

/** A door that is always open, and hears how calls end. */
const makeListener = () => {
  const heard: Array<string> = []
  const door: Door = {
    run: (_host, call) =>
      Effect.onExit(call, (exit) =>
        Effect.sync(() => {
          const error = Option.getOrUndefined(Exit.findErrorOption(exit))
          heard.push(error?._tag ?? (Exit.isSuccess(exit) ? "success" : "interrupted"))
        }))
  }
  return { door, heard: () => heard.join(", ") || "nothing" }
}

describe("d: the client: attempts and their deadlines belong inside", () => {
  it.effect("a retried success is one success", () =>
    Effect.gen(function*() {
      const { door, heard } = makeListener()
      const answers: Array<Call> = [down, paid]
      let asked = 0
      const call = Effect.suspend(() => answers[asked++] ?? invalid)
      const fiber = yield* Effect.forkChild(makeClient(door)("payments", call), { startImmediately: true })
      yield* TestClock.adjust(99)
      check(asked === 1, `The second attempt comes after 100 ms. In 99 ms there were ${asked} attempts.`)
      yield* TestClock.adjust(1)
      const exit = fiber.pollUnsafe()
      check(exit !== undefined && Exit.isSuccess(exit), "When the second attempt succeeds, the call has succeeded.")
      check(heard() === "success", `A failure and a success in one call are one success. The door heard ${heard()}.`)
    }))

  it.effect("two attempts, and none after Invalid", () =>
    Effect.gen(function*() {
      for (const [answer, attempts, name] of [[down, 2, "Unavailable"], [invalid, 1, "Invalid"]] as const) {
        const { door, heard } = makeListener()
        let asked = 0
        const call = Effect.suspend(() => (asked++, answer))
        yield* Effect.forkChild(makeClient(door)("payments", call), { startImmediately: true })
        yield* TestClock.adjust("5 seconds")
        check(asked === attempts, `Where every answer is ${name}, so many attempts: ${attempts}. Seen: ${asked}.`)
        check(heard() === name, `Where every answer is ${name}, the door hears that once. It heard ${heard()}.`)
      }
    }))

  it.effect("a deadline inside counts", () =>
    Effect.gen(function*() {
      const { door, heard } = makeListener()
      const fiber = yield* Effect.forkChild(makeClient(door)("payments", Effect.never), { startImmediately: true })
      yield* TestClock.adjust(2100)
      const exit = fiber.pollUnsafe()
      check(exit !== undefined, "Two silent attempts of 1 s and 100 ms between them end after 2.1 s.")
      const error = Option.getOrUndefined(Exit.findErrorOption(exit))
      check(error instanceof Unavailable, "A service that is silent is Unavailable.")
      check(heard() === "Unavailable", `The door must hear that the service is silent. It heard ${heard()}.`)
    }))

  it.effect("with a door that closes", () =>
    Effect.gen(function*() {
      const client = makeClient(yield* makeOurs(policy))
      for (let n = 1; n <= 3; n++) {
        const fiber = yield* Effect.forkChild(client("payments", down), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        const error = Option.getOrUndefined(Exit.findErrorOption(yield* Fiber.await(fiber)))
        check(
          error instanceof Unavailable,
          `Call ${n} of a service that is down must be made: two attempts count once.`
        )
      }
      yield* mustRefuse(client, "payments", "After three calls of two attempts each")
    }))
})
