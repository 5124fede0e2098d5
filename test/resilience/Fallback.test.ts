import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema, type Scope, Stream } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { CircuitBreaker, Fallback, InvalidOption } from "effect-lifecycle/resilience"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"

class Lost extends Schema.TaggedError<Lost>()("Lost", {}) {}
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.String }) {}
const open = new CircuitBreaker.CircuitOpen({ name: "db", key: "k", retryAfterMillis: 10, isolated: false })

const bug = new Error("bug")
const throws = (): never => {
  throw bug
}
const errorsOf = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<unknown> =>
  Exit.isFailure(exit)
    ? exit.cause.reasons.map((reason) =>
      Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : "interrupted"
    )
    : []
const breakerAfter = (failures: number) =>
  CircuitBreaker.make({ name: "requests", trip: CircuitBreaker.consecutive(failures), breakDuration: "1 minute" })

describe("Fallback.shouldFallback", () => {
  type Known = Lost | NotFound
  const lost: Cause.Cause<Known> = Cause.fail(new Lost())
  const notFound: Cause.Cause<Known> = Cause.fail(new NotFound({ id: "1" }))
  const died: Cause.Cause<Known> = Cause.die(bug)
  const interrupted: Cause.Cause<Known> = Cause.interrupt(1)
  const lostWhileInterrupted: Cause.Cause<Known> = Cause.combine(lost, interrupted)
  const lostAndDied: Cause.Cause<Known> = Cause.combine(lost, died)
  const refused: Cause.Cause<Known | typeof open> = Cause.fail(open)

  const table: ReadonlyArray<
    readonly [name: string, on: Fallback.On<Known> | undefined, yes: ReadonlyArray<Cause.Cause<Known | typeof open>>]
  > = [
    ["nothing said: any typed failure", undefined, [lost, notFound, refused]],
    ["an empty list: any typed failure", [], [lost, notFound, refused]],
    ["an empty policy: any typed failure", {}, [lost, notFound, refused]],
    ["a tag, and the open circuit by default", ["Lost"], [lost, refused]],
    ["a class", [NotFound], [notFound, refused]],
    ["a class and those below it", [Error], [lost, notFound, refused]],
    ["a question", (failure) => failure._tag === "Lost", [lost, refused]],
    ["a list without the open circuit", { failures: ["Lost"], openCircuit: false }, [lost]],
    ["any failure but the open circuit", { openCircuit: false }, [lost, notFound]],
    ["a question without the open circuit", { failures: () => true, openCircuit: false }, [lost, notFound]],
    ["the open circuit alone, by its tag", { failures: ["CircuitOpen"], openCircuit: false }, [refused]],
    ["the open circuit alone, by its class", { failures: [CircuitBreaker.CircuitOpen], openCircuit: false }, [refused]],
    ["no failure but the open circuit", () => false, [refused]],
    ["defects when asked", { defects: true }, [lost, notFound, refused, died, lostAndDied]],
    ["the defects asked for", { defects: (defect) => defect === bug }, [lost, notFound, refused, died, lostAndDied]],
    ["no other defects", { defects: (defect) => defect !== bug }, [lost, notFound, refused]]
  ]
  for (const [name, on, yes] of table) {
    it(name, () => {
      const policy = Fallback.shouldFallback<Known>(on)
      for (const cause of [lost, notFound, died, interrupted, lostWhileInterrupted, lostAndDied, refused]) {
        assert.strictEqual(policy(cause), yes.includes(cause), Cause.pretty(cause))
      }
    })
  }
  it("counts a cause with several failures when one of them counts", () => {
    assert.isTrue(Fallback.shouldFallback<Known>(["Lost"])(Cause.combine(notFound, lost)))
  })
  it("takes a verdict's rejection, and nothing that it accepts or calls fatal", () => {
    const policy = Fallback.shouldFallback(
      Fallback.byVerdict<Known>((exit) =>
        Exit.isFailure(exit) &&
          exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error._tag === "Lost")
          ? { _tag: "Reject", retryAfter: undefined }
          : { _tag: "Fatal", health: "failure" }
      )
    )
    assert.deepStrictEqual([lost, notFound, died, refused].map((cause) => policy(cause)), [true, false, false, true])
  })
  it.effect("knows the refusal of Effect's own breaker", () =>
    Effect.gen(function*() {
      const breaker = yield* EffectBreaker.make({
        tripPolicy: EffectBreaker.consecutive(1),
        openDuration: "1 minute"
      })
      const call = Effect.fail("down").pipe(breaker.execute({ key: "db" }))
      yield* Effect.exit(call)
      const refusal = yield* Effect.flip(call)
      assert.isTrue(Fallback.isOpenCircuit(refusal))
      assert.isFalse(Fallback.isOpenCircuit("down"))
      assert.strictEqual(
        yield* Fallback.effect(call, {
          on: (failure) => failure === "other",
          fallback: () => Effect.succeed("cached")
        }),
        "cached"
      )
    }).pipe(Effect.provide(EffectBreaker.layerStoreMemory())))
})

describe("Fallback.effect", () => {
  it.effect("gives the fallback the cause", () =>
    Effect.gen(function*() {
      const self: Effect.Effect<number, Lost> = Effect.fail(new Lost())
      const told = self.pipe(Fallback.effect({ fallback: (cause) => Effect.succeed(Cause.squash(cause)) }))
      assert.instanceOf(yield* told, Lost)
    }))
  it.effect("does not build the fallback while the first works", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Fallback.effect(Effect.succeed(1), { fallback: throws }), 1)
    }))
  it.effect("lets a failure through that is not listed", () =>
    Effect.gen(function*() {
      const self: Effect.Effect<never, Lost | NotFound> = Effect.fail(new NotFound({ id: "1" }))
      const told = Fallback.effect(self, { on: ["Lost"], fallback: () => Effect.succeed("cached") })
      assert.deepStrictEqual(errorsOf(yield* Effect.exit(told)), [new NotFound({ id: "1" })])
    }))
  it.effect("keeps both causes, in order, even when they are equal", () =>
    Effect.gen(function*() {
      const fail = (fallback: () => Effect.Effect<never, string>) =>
        Effect.map(Effect.exit(Fallback.effect(Effect.fail("down"), { fallback })), errorsOf)
      assert.deepStrictEqual(yield* fail(() => Effect.fail("also down")), ["down", "also down"])
      assert.deepStrictEqual(yield* fail(() => Effect.fail("down")), ["down", "down"])
      assert.deepStrictEqual(yield* fail(() => Effect.die(bug)), ["down", bug])
      assert.deepStrictEqual(yield* fail(throws), ["down", bug])
    }))
  it.effect("tells a predicate that throws beside the cause", () =>
    Effect.gen(function*() {
      const told = Fallback.effect(Effect.fail("down"), { on: throws, fallback: () => Effect.succeed(1) })
      assert.deepStrictEqual(errorsOf(yield* Effect.exit(told)), ["down", bug])
    }))
  it.effect("does not fall back when it is interrupted", () =>
    Effect.gen(function*() {
      let asked = false
      const told = Fallback.effect(Effect.never, {
        on: { defects: true },
        fallback: () => Effect.sync(() => (asked = true))
      })
      const fiber = yield* Effect.forkChild(told, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.isFalse(asked)
    }))
  it.effect("reports its name and the failure's tag, or that it was a defect", () =>
    Effect.gen(function*() {
      const seen: Array<Recorder.Report> = []
      const tell = <E>(self: Effect.Effect<never, E>) =>
        Fallback.effect(self, { name: "price", on: { defects: true }, fallback: () => Effect.void }).pipe(
          Recorder.recordTo((report) => seen.push(report))
        )
      yield* tell(Effect.fail(new Lost()))
      yield* tell(Effect.die(bug))
      yield* tell(Effect.fail("secret text"))
      assert.deepStrictEqual(seen, [
        { _tag: "FallbackUsed", name: "price", trigger: "Lost" },
        { _tag: "FallbackUsed", name: "price", trigger: "defect" },
        { _tag: "FallbackUsed", name: "price", trigger: "failure" }
      ])
    }))
  it.effect("stops calling the first while its circuit is open, and never counts the fallback", () =>
    Effect.gen(function*() {
      const breaker = yield* breakerAfter(2)
      let calls = 0
      const first = Effect.suspend(() => Effect.fail(`down ${++calls}`))
      const told = Effect.exit(Fallback.effect(first, { name: "db", breaker, fallback: () => Effect.fail("stale") }))
      assert.deepStrictEqual(errorsOf(yield* told), ["down 1", "stale"])
      assert.deepStrictEqual(errorsOf(yield* told), ["down 2", "stale"])
      const [refusal] = errorsOf(yield* told)
      assert.instanceOf(refusal, CircuitBreaker.CircuitOpen)
      assert.strictEqual(calls, 2)
      assert.deepStrictEqual(yield* breaker.keys, ["db"])
    }))
  it.effect("refuses a breaker without a name, and an empty name, when it is built", () =>
    Effect.gen(function*() {
      const breaker = yield* breakerAfter(1)
      const fallback = () => Effect.void
      for (
        const build of [
          () => Fallback.effect(Effect.void, { breaker, fallback }),
          () => Fallback.effect(Effect.void, { name: "", fallback }),
          () => Fallback.stream(Stream.empty, { mode: "restart", breaker, fallback: () => Stream.empty }),
          () => Fallback.handler({ primary: { name: "", handle: fallback }, fallback: { name: "b", handle: fallback } })
        ]
      ) {
        const [error] = errorsOf(yield* Effect.exit(Effect.sync((): unknown => build())))
        assert.isTrue(error instanceof InvalidOption.InvalidOption && error.option === "name")
      }
    }))
})

describe("Fallback.handler", () => {
  const cached = { name: "profiles.cache", handle: (id: string) => Effect.succeed(`cached ${id}`) }

  it.effect("keeps one circuit for each primary behind a shared breaker", () =>
    Effect.gen(function*() {
      const breaker = yield* breakerAfter(1)
      const log: Array<string> = []
      const primary = (name: string): Fallback.Handler<string, string, Lost> => ({
        name,
        handle: () => Effect.andThen(Effect.sync(() => log.push(name)), Effect.fail(new Lost()))
      })
      const profile = Fallback.handler({ primary: primary("profiles"), fallback: cached, breaker })
      const order = Fallback.handler({ primary: primary("orders"), fallback: cached, breaker })
      yield* profile("1")
      assert.strictEqual(yield* profile("1"), "cached 1")
      assert.deepStrictEqual(log, ["profiles"])
      yield* order("2")
      assert.deepStrictEqual(log, ["profiles", "orders"])
      assert.deepStrictEqual([...(yield* breaker.keys)].sort(), ["orders", "profiles"])
    }))
  it.effect("uses the fallback once the circuit is open although the list does not name it", () =>
    Effect.gen(function*() {
      const breaker = yield* breakerAfter(1)
      const primary: Fallback.Handler<string, string, Lost | NotFound> = {
        name: "profiles",
        handle: (id) => Effect.fail(new NotFound({ id }))
      }
      const profile = Fallback.handler({ primary, fallback: cached, on: ["Lost"], breaker })
      assert.deepStrictEqual(errorsOf(yield* Effect.exit(profile("1"))), [new NotFound({ id: "1" })])
      assert.strictEqual(yield* profile("1"), "cached 1")
    }))
  it.effect("takes a handler that throws for a defect, which the circuit counts", () =>
    Effect.gen(function*() {
      const breaker = yield* breakerAfter(1)
      const primary: Fallback.Handler<string, string> = { name: "profiles", handle: throws }
      const profile = Fallback.handler({ primary, fallback: cached, breaker })
      assert.deepStrictEqual(errorsOf(yield* Effect.exit(profile("1"))), [bug])
      assert.strictEqual(yield* profile("1"), "cached 1")
    }))
  it.effect("nests: the fallback of a fallback", () =>
    Effect.gen(function*() {
      const fails = (name: string): Fallback.Handler<string, string, string> => ({
        name,
        handle: () => Effect.fail(name)
      })
      const inner = Fallback.handler({ primary: fails("replica"), fallback: cached })
      const run = Fallback.handler({ primary: fails("database"), fallback: { name: "replica", handle: inner } })
      assert.strictEqual(yield* run("1"), "cached 1")
      const all = Fallback.handler({
        primary: fails("database"),
        fallback: { name: "replica", handle: Fallback.handler({ primary: fails("replica"), fallback: fails("cache") }) }
      })
      assert.deepStrictEqual(errorsOf(yield* Effect.exit(all("1"))), ["database", "replica", "cache"])
    }))
  it.effect("asks a primary for its services again at each request", () =>
    Effect.gen(function*() {
      const primary: Fallback.Handler<string, string, Lost, Scope.Scope> = {
        name: "profiles",
        handle: (id) => Effect.acquireRelease(Effect.succeed(id), () => Effect.void)
      }
      assert.strictEqual(yield* Effect.scoped(Fallback.handler({ primary, fallback: cached })("1")), "1")
    }))
})

describe("Fallback.event", () => {
  it.effect("runs the follow-up once, after whichever handler succeeded", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const ends = (name: string, exit: Exit.Exit<string, Lost>) => ({
        name,
        handle: (_: string) => Effect.andThen(Effect.sync(() => log.push(name)), exit)
      })
      const followUp = (outcome: string, event: string) => Effect.sync(() => log.push(`${outcome} after ${event}`))
      const second = ends("second", Exit.succeed("by second"))
      const works = { primary: ends("first", Exit.succeed("by first")), fallback: second, followUp }
      assert.strictEqual(yield* Fallback.event(works)("paid"), "by first")
      const fails = { primary: ends("first", Exit.fail(new Lost())), fallback: second, followUp }
      assert.strictEqual(yield* Fallback.event(fails)("paid"), "by second")
      assert.deepStrictEqual(log, ["first", "by first after paid", "first", "second", "by second after paid"])
    }))
  it.effect("does not take a follow-up's failure or defect for the handler's, in the fallback or the circuit", () =>
    Effect.gen(function*() {
      const breaker = yield* breakerAfter(1)
      for (const [followUp, told] of [[() => Effect.fail("down"), "down"], [throws, bug]] as const) {
        const log: Array<string> = []
        const handler = (name: string) => ({
          name,
          handle: (_: string) => Effect.sync(() => void log.push(name))
        })
        const run = Fallback.event({
          primary: handler("first"),
          fallback: handler("second"),
          on: { defects: true },
          breaker,
          followUp
        })
        assert.deepStrictEqual(errorsOf(yield* Effect.exit(run("paid"))), [told])
        assert.deepStrictEqual(errorsOf(yield* Effect.exit(run("paid"))), [told])
        assert.deepStrictEqual(log, ["first", "first"])
      }
      assert.strictEqual((yield* breaker.snapshot("first")).state, "Closed")
    }))
})
