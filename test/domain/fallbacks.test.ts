import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Predicate, Schema, Stream } from "effect"
import { RpcGroup, RpcTest } from "effect/rpc"
import { TestClock } from "effect/testing"
import { Command, Domain, DomainError, type DomainEvent, Mediator, Query } from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { Greeted, Join, joined, joinHandler, logging, UserJoined } from "./support/meetings.ts"
import { Place, placeHandler } from "./support/orders.ts"
import { allEvents, failingAt } from "./support/store.ts"

class Down extends Schema.TaggedError<Down>()("Down", { host: Schema.String }) {}
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}

const Get = Query.make("profiles.Get", {
  payload: { id: Schema.String },
  success: Schema.String,
  error: Schema.Union([Down, NotFound])
})
const Items = Query.stream("items.All", { success: Schema.String, error: Down })

const breakerOf = (failures: number) =>
  CircuitBreaker.make({ name: "domain", trip: CircuitBreaker.consecutive(failures), breakDuration: "1 minute" })

const db = Domain.handler(Get, ({ id }) => id === "nobody" ? new NotFound() : new Down({ host: "db" }))
const cache = Domain.handler(Get, ({ id }, { failed }) => {
  const error = failed === undefined ? undefined : Cause.squash(failed)
  const why = Predicate.hasProperty(error, "_tag") ? error._tag : error
  return Effect.succeed(`cached ${id} after ${why}`)
})
const get = (id: string) => Mediator.query(Get, { id })

const tagsOf = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit)
    ? exit.cause.reasons.map((one) =>
      Cause.isFailReason(one) ? (one.error as { readonly _tag: string })._tag : one._tag
    )
    : []

const defectOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(self), (exit) => String(Exit.isFailure(exit) && Cause.squash(exit.cause)))

describe("Domain.withFallback", () => {
  it.effect("runs the second handler, which is told why the first failed", () =>
    Effect.gen(function*() {
      const layer = Domain.toLayer([Domain.withFallback(db, { fallback: cache, on: ["Down"] })])
      assert.strictEqual(yield* Effect.provide(get("ada"), layer), "cached ada after Down")
      assert.strictEqual((yield* Effect.flip(Effect.provide(get("nobody"), layer)))._tag, "NotFound")
    }))

  it.effect("fails with both failures, the first first", () =>
    Effect.gen(function*() {
      const layer = Domain.toLayer([
        Domain.withFallback(db, { fallback: Domain.handler(Get, () => new NotFound()) })
      ])
      assert.deepStrictEqual(tagsOf(yield* Effect.exit(Effect.provide(get("ada"), layer))), ["Down", "NotFound"])
      const client = yield* RpcTest.makeClient(RpcGroup.make(Get), { flatten: true }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(tagsOf(yield* Effect.exit(client("profiles.Get", { id: "ada" }))), ["Down", "NotFound"])
    }))

  it.effect("takes any number of handlers in a row, each behind its own circuit", () =>
    Effect.gen(function*() {
      const breaker = yield* breakerOf(1)
      const inner = Domain.withFallback(db, {
        fallback: Domain.handler(Get, () => new Down({ host: "replica" })),
        breaker,
        name: "db"
      })
      const layer = Domain.toLayer([Domain.withFallback(inner, { fallback: cache, breaker, name: "db and replica" })])
      assert.strictEqual(yield* Effect.provide(get("ada"), layer), "cached ada after Down")
      assert.deepStrictEqual([...(yield* breaker.keys)].toSorted(), ["db", "db and replica"])
    }))

  it.effect("spares the first handler while its circuit is open, and asks it again after the break", () => {
    const { log, note } = logging()
    let down = true
    const counted = Domain.handler(
      Get,
      () =>
        Effect.andThen(note("primary"), Effect.suspend(() => down ? new Down({ host: "db" }) : Effect.succeed("fresh")))
    )
    return Effect.gen(function*() {
      const layer = Domain.toLayer([Domain.withFallback(counted, { fallback: cache, breaker: yield* breakerOf(2) })])
      yield* Effect.gen(function*() {
        const answers = yield* Effect.forEach(["a", "b", "c"], get)
        assert.deepStrictEqual(answers, ["cached a after Down", "cached b after Down", "cached c after CircuitOpen"])
        assert.lengthOf(log, 2)
        down = false
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* get("d"), "fresh")
      }).pipe(Effect.provide(layer))
    })
  })

  it.effect("tells of an open circuit as a refusal, or not at all beside another failure", () =>
    Effect.gen(function*() {
      const open = yield* breakerOf(1)
      const refusing = Domain.toLayer([
        Domain.withFallback(db, { fallback: cache, on: { failures: ["NotFound"], openCircuit: false }, breaker: open })
      ])
      yield* Effect.exit(Effect.provide(get("ada"), refusing))
      const refused = yield* Effect.flip(Effect.provide(get("ada"), refusing))
      assert.instanceOf(refused, DomainError.Refused)
      assert.strictEqual(refused.message, "\"profiles.Get\" was refused: its circuit is open, after too many failures")
      const failing = Domain.toLayer([
        Domain.withFallback(db, { fallback: Domain.handler(Get, () => new NotFound()), breaker: open })
      ])
      assert.deepStrictEqual(tagsOf(yield* Effect.exit(Effect.provide(get("ada"), failing))), ["NotFound"])
    }))

  it.effect("takes over from an aggregate whose store is away, and nothing of its attempt is kept", () => {
    const { log, note } = logging()
    const later = Domain.withFallback(joinHandler, {
      fallback: Domain.handler(
        Join,
        ({ userId }, { commandId }) => Effect.as(note(`${userId} queued as ${commandId}`), { users: -1 })
      ),
      on: ["StoreUnavailable"]
    })
    const listener = Domain.eventHandler(UserJoined, { name: "log", handle: () => note("told") })
    return Effect.gen(function*() {
      const layer = Domain.toLayer([later, listener]).pipe(Layer.provideMerge(failingAt((step) => step === "append")))
      const send = Mediator.send(Join, { meetingId: "m-1", userId: "ada" }, { commandId: "c-1" })
      assert.deepStrictEqual(yield* Effect.provide(send, layer), { users: -1 })
      assert.deepStrictEqual(log, ["ada queued as c-1"])
    })
  })

  it.effect("cannot save a transaction in which its first handler had begun to write", () => {
    const later = Domain.withFallback(placeHandler, {
      fallback: Domain.handler(Place, ({ orderId }) => Effect.succeed({ orderId, quantity: 0, version: 0 }))
    })
    const layer = Domain.toLayer([later]).pipe(Layer.provideMerge(failingAt((step) => step === "put")))
    const send = Mediator.send(Place, { orderId: "o-1", quantity: 1 })
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* send, { orderId: "o-1", quantity: 0, version: 0 })
      const error = yield* Effect.flip(Domain.transaction(send))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.lengthOf(yield* allEvents, 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("does not run for an interruption, nor for a bug unless asked", () => {
    const bug = Domain.handler(Get, () => Effect.die(new TypeError("bug")))
    const ask = (handler: Domain.Handler<"profiles.Get", never>) =>
      Effect.exit(Effect.provide(get("ada"), Domain.toLayer([handler])))
    return Effect.gen(function*() {
      assert.deepStrictEqual(tagsOf(yield* ask(Domain.withFallback(bug, { fallback: cache }))), ["Die"])
      const asked = yield* ask(Domain.withFallback(bug, { fallback: cache, on: { defects: true } }))
      assert.deepStrictEqual(asked, Exit.succeed("cached ada after TypeError: bug"))
      const interrupted = yield* ask(
        Domain.withFallback(Domain.handler(Get, () => Effect.interrupt), { fallback: cache })
      )
      assert.deepStrictEqual(tagsOf(interrupted), ["Interrupt"])
    })
  })

  it.effect("reports the switch under the name of the definition, with the failure's tag", () => {
    const used: Array<string> = []
    const record: Recorder.Recorder = (report) => {
      if (report._tag === "FallbackUsed") used.push(`${report.name} ${report.trigger}`)
    }
    return Effect.gen(function*() {
      yield* Effect.provide(get("ada"), Domain.toLayer([Domain.withFallback(db, { fallback: cache })]))
      assert.deepStrictEqual(used, ["profiles.Get Down"])
    }).pipe(Recorder.recordTo(record))
  })

  it.effect("does not build with a handler of another definition, in whatever depth", () =>
    Effect.gen(function*() {
      const Other = Query.make("profiles.Get", { payload: { key: Schema.Int }, success: Schema.Int })
      const other = Domain.handler(Other, () => Effect.succeed(1)) as never as typeof cache
      const wrong = Domain.withFallback(db, { fallback: other })
      for (const handler of [wrong, Domain.withFallback(db, { fallback: wrong })]) {
        const defect = yield* defectOf(Layer.build(Domain.toLayer([handler])))
        assert.include(
          defect,
          "Domain.withFallback: fallback must be a handler of the definition that \"profiles.Get\" handles"
        )
      }
    }))
})

describe("Domain.withStreamFallback", () => {
  const live = Domain.streamHandler(
    Items,
    () => Stream.concat(Stream.make("a", "b"), Stream.fail(new Down({ host: "live" })))
  )
  const all = ["a", "b", "c", "d"]
  const archive = Domain.streamHandler(Items, (_, broken) => Stream.fromIterable(all.slice(broken?.delivered ?? 0)))
  const whole = Domain.streamHandler(Items, () => Stream.fromIterable(all))
  const items = (handler: Domain.StreamHandler<"items.All", never>) =>
    Effect.exit(Stream.runCollect(Mediator.stream(Items, undefined)).pipe(Effect.provide(Domain.toLayer([handler]))))

  it.effect("fails, restarts, resumes or drops repeated items, as its mode says", () =>
    Effect.gen(function*() {
      const restart = yield* items(Domain.withStreamFallback(live, { mode: "restart", fallback: whole }))
      assert.deepStrictEqual(restart, Exit.succeed(["a", "b", ...all]))
      const resume = yield* items(Domain.withStreamFallback(live, { mode: "resume", fallback: archive }))
      assert.deepStrictEqual(resume, Exit.succeed(all))
      const dedupe = yield* items(
        Domain.withStreamFallback(live, { mode: { dedupeBy: (item) => item }, fallback: whole })
      )
      assert.deepStrictEqual(dedupe, Exit.succeed(all))
      const fail = yield* items(Domain.withStreamFallback(live, { mode: "fail", fallback: whole }))
      assert.deepStrictEqual(tagsOf(fail), ["Down"])
    }))

  it.effect("tells of the switch, and leaves a failure that is not listed", () => {
    const { log, note } = logging()
    return Effect.gen(function*() {
      yield* items(Domain.withStreamFallback(live, {
        mode: { resumeBy: (item) => item.toUpperCase() },
        fallback: archive,
        onSwitch: ({ delivered, lastKey }) => note(`after ${delivered}, ${lastKey}`)
      }))
      assert.deepStrictEqual(log, ["after 2, B"])
      const unlisted = yield* items(
        Domain.withStreamFallback(live, { mode: "restart", fallback: whole, on: () => false })
      )
      assert.deepStrictEqual(tagsOf(unlisted), ["Down"])
    })
  })

  it.effect("spares the first stream while its circuit is open", () => {
    const log: Array<string> = []
    const counted = Domain.streamHandler(Items, () => {
      log.push("live")
      return Stream.fail(new Down({ host: "live" }))
    })
    return Effect.gen(function*() {
      const handler = Domain.withStreamFallback(counted, {
        mode: "fail",
        fallback: whole,
        breaker: yield* breakerOf(1)
      })
      for (let run = 0; run < 3; run++) assert.deepStrictEqual(yield* items(handler), Exit.succeed(all))
      assert.deepStrictEqual(log, ["live"])
    })
  })

  it.effect("tells of an open circuit alone as a refusal", () =>
    Effect.gen(function*() {
      const handler = Domain.withStreamFallback(live, {
        mode: "fail",
        fallback: whole,
        on: { openCircuit: false },
        breaker: yield* breakerOf(1)
      })
      yield* items(handler)
      assert.deepStrictEqual(tagsOf(yield* items(handler)), ["Refused"])
    }))

  it.effect("does not build with a stream of another definition", () =>
    Effect.gen(function*() {
      const Other = Query.stream("items.All", { success: Schema.Int })
      const other = Domain.streamHandler(Other, () => Stream.make(1)) as never as typeof whole
      const wrong = Domain.withStreamFallback(live, { mode: "restart", fallback: other })
      assert.include(
        yield* defectOf(Layer.build(Domain.toLayer([wrong]))),
        "Domain.withStreamFallback: fallback must be"
      )
    }))
})

describe("Domain.withEventFallback", () => {
  const push = Domain.eventHandler(UserJoined, {
    name: "push",
    handle: ({ userId }) => Effect.fail(userId === "nobody" ? new NotFound() : new Down({ host: "push" }))
  })

  it.effect("runs the second handler, and tells what that one answers", () => {
    const { log, note } = logging()
    const layer = Domain.toLayer([
      Domain.withEventFallback(push, {
        fallback: Domain.eventHandler(UserJoined, {
          name: "queue",
          handle: ({ userId }, { failed }) =>
            Effect.as(
              note(`queued after ${failed === undefined ? "nothing" : (Cause.squash(failed) as Error).name}`),
              [Greeted.make({ userId })]
            )
        }),
        on: ["Down"]
      }),
      Domain.eventHandler(Greeted, { name: "log", handle: () => note("greeted") })
    ])
    return Effect.gen(function*() {
      yield* Mediator.publish([joined()])
      assert.deepStrictEqual(log.splice(0), ["queued after Down", "greeted"])
      const error = yield* Effect.flip(Mediator.publish([joined("nobody")]))
      assert.include(error.message, "push on UserJoined: NotFound")
      assert.deepStrictEqual(log, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("spares the first handler while its circuit is open", () => {
    const { log, note } = logging()
    const counted = Domain.eventHandler(UserJoined, {
      name: "push",
      handle: () => Effect.andThen(note("push"), new Down({ host: "push" }))
    })
    return Effect.gen(function*() {
      const handler = Domain.withEventFallback(counted, {
        fallback: Domain.eventHandler(UserJoined, { name: "queue", handle: () => note("queue") }),
        breaker: yield* breakerOf(1)
      })
      yield* Mediator.publish([joined(), joined()], { concurrency: 1 }).pipe(Effect.provide(Domain.toLayer([handler])))
      assert.deepStrictEqual(log, ["push", "queue", "queue"])
    })
  })

  it.effect("does not build with a handler of another event", () =>
    Effect.gen(function*() {
      const other = Domain.eventHandler(Greeted as never as DomainEvent.Any, {
        name: "other",
        handle: () => Effect.void
      })
      const wrong = Domain.withEventFallback(push, { fallback: other as never as typeof push })
      assert.include(
        yield* defectOf(Layer.build(Domain.toLayer([wrong]))),
        "Domain.withEventFallback: fallback must be"
      )
    }))
})

describe("a handler's parts", () => {
  it("can be read, for those who draw them", () => {
    const handler = Domain.withFallback(joinHandler, {
      fallback: Domain.handler(Join, () => Effect.succeed({ users: 0 }))
    })
    const { part } = handler
    assert.deepStrictEqual(part._tag === "Fallback" ? [part.primary.part, part.fallback.part, part.breaker] : [], [
      { _tag: "Aggregate", aggregate: "Meeting", events: [UserJoined] },
      { _tag: "Function" },
      false
    ])
    assert.deepStrictEqual(Domain.handler(Command.make("noop.Noop"), () => Effect.void).part, { _tag: "Function" })
  })
})
