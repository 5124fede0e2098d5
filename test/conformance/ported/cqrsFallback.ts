import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema } from "effect"
import { ChainOfResponsibility, Command, Domain, Mediator, Middleware, Query } from "effect-lifecycle/domain"
import { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"
import { memory } from "../../domain/support/store.ts"
import { differs, equal, type Topic } from "../ported.ts"

class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {}) {}
class WrongValue extends Schema.TaggedError<WrongValue>()("WrongValue", {}) {}
class NotHandled extends Schema.TaggedError<NotHandled>()("NotHandled", {}) {}

type Failure = ConnectionLost | WrongValue

/** A primary that ends as told, a fallback that notes what it sees, and the log of both. */
const pair = (ends: () => Effect.Effect<string, Failure>, name = "profiles.primary") => {
  const log: Array<string> = []
  const primary: Fallback.Handler<string, string, Failure> = {
    name,
    handle: () => Effect.andThen(Effect.sync(() => void log.push("primary")), Effect.suspend(ends))
  }
  const fallback = {
    name: "profiles.fallback",
    handle: (id: string) => Effect.sync(() => (log.push("fallback"), `cached ${id}`))
  }
  return { fallback, log, primary }
}

const lost = () => Effect.fail(new ConnectionLost())
const wrong = () => Effect.fail(new WrongValue())

const breaker = (failures: number) =>
  CircuitBreaker.make({
    name: "requests",
    trip: CircuitBreaker.consecutive(failures),
    breakDuration: "60 seconds"
  })

/** Fallbacks of request and event handlers, and chains of handlers. */
export const cqrsFallback: Topic = {
  source: "python-cqrs",
  title: "python-cqrs: fallbacks of handlers",
  file: "cqrsFallback.ts",
  behaviours: [
    equal("fallback-runs", "runs the primary, then the fallback with the same request", () =>
      Effect.gen(function*() {
        const { fallback, log, primary } = pair(lost)
        const run = Fallback.handler({ primary, fallback, on: ["ConnectionLost"] })
        assert.strictEqual(yield* run("user_42"), "cached user_42")
        assert.deepStrictEqual(log, ["primary", "fallback"])
      })),
    equal("fallback-lazy", "does not touch the fallback while the primary works", () =>
      Effect.gen(function*() {
        const { fallback, log, primary } = pair(() => Effect.succeed("fresh"))
        assert.strictEqual(yield* Fallback.handler({ primary, fallback })("user_42"), "fresh")
        assert.deepStrictEqual(log, ["primary"])
      })),
    equal("fallback-empty-list", "takes an empty list of failures for any failure", () =>
      Effect.gen(function*() {
        for (const ends of [lost, wrong]) {
          const { fallback, primary } = pair(ends)
          assert.strictEqual(yield* Fallback.handler({ primary, fallback, on: [] })("user_42"), "cached user_42")
        }
      })),
    equal("fallback-listed", "lets a failure that is not in the list through as it is", () =>
      Effect.gen(function*() {
        const { fallback, log, primary } = pair(wrong)
        const error = yield* Effect.flip(Fallback.handler({ primary, fallback, on: ["ConnectionLost"] })("user_42"))
        assert.strictEqual(error._tag, "WrongValue")
        assert.deepStrictEqual(log, ["primary"])
      })),
    equal("fallback-subclass", "takes a class in the list for itself and those below it", () =>
      Effect.gen(function*() {
        const { fallback, primary } = pair(lost)
        assert.strictEqual(yield* Fallback.handler({ primary, fallback, on: [Error] })("user_42"), "cached user_42")
      })),
    equal("fallback-cancel", "does not fall back when the caller cancels", () =>
      Effect.gen(function*() {
        const { fallback, log, primary } = pair(() => Effect.interrupt)
        const exit = yield* Effect.exit(Fallback.handler({ primary, fallback })("user_42"))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))
        assert.deepStrictEqual(log, ["primary"])
      })),
    differs("fallback-bug", {
      theirs: "takes every exception, a TypeError included, for a reason to fall back",
      ours: "falls back on typed failures; on a defect only when asked",
      reason: "a fallback that hides a bug keeps it alive"
    }, () =>
      Effect.gen(function*() {
        const { fallback, primary } = pair(() => Effect.die(new TypeError("bug")))
        const exit = yield* Effect.exit(Fallback.handler({ primary, fallback })("user_42"))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        const asked = Fallback.handler({ primary, fallback, on: { defects: true } })
        assert.strictEqual(yield* asked("user_42"), "cached user_42")
      })),
    differs("fallback-cause", {
      theirs: "gives the fallback the request alone",
      ours: "gives it the request and why the primary failed",
      reason: "what to do instead depends on what went wrong"
    }, () =>
      Effect.gen(function*() {
        const { primary } = pair(lost)
        const run = Fallback.handler({
          primary,
          fallback: {
            name: "told",
            handle: (id, cause) =>
              Effect.succeed(`${id}: ${cause.reasons.map((reason) => reason._tag === "Fail" && reason.error._tag)}`)
          }
        })
        assert.strictEqual(yield* run("user_42"), "user_42: ConnectionLost")
      })),
    differs("fallback-both-fail", {
      theirs: "raises the fallback's error and forgets the primary's",
      ours: "fails with both, the primary's first",
      reason: "the first failure is the one to repair"
    }, () =>
      Effect.gen(function*() {
        const { primary } = pair(lost)
        const run = Fallback.handler({ primary, fallback: { name: "broken", handle: wrong } })
        const exit = yield* Effect.exit(run("user_42"))
        const tags = Exit.isFailure(exit)
          ? exit.cause.reasons.map((reason) => reason._tag === "Fail" ? reason.error._tag : reason._tag)
          : []
        assert.deepStrictEqual(tags, ["ConnectionLost", "WrongValue"])
      })),
    equal(
      "fallback-open",
      "runs the fallback without the primary while the circuit is open",
      () =>
        Effect.gen(function*() {
          const { fallback, log, primary } = pair(lost)
          const run = Fallback.handler({ primary, fallback, on: ["ConnectionLost"], breaker: yield* breaker(2) })
          yield* Effect.forEach([1, 2, 3], () => run("user_42"))
          assert.deepStrictEqual(log, ["primary", "fallback", "primary", "fallback", "fallback"])
        })
    ),
    equal(
      "fallback-circuits",
      "keeps one circuit for each primary behind a shared breaker",
      () =>
        Effect.gen(function*() {
          const shared = yield* breaker(1)
          const broken = pair(lost, "profiles.primary")
          const healthy = pair(() => Effect.succeed("fresh"), "orders.primary")
          yield* Fallback.handler({ ...broken, breaker: shared })("user_42")
          assert.strictEqual(yield* Fallback.handler({ ...healthy, breaker: shared })("user_42"), "fresh")
          assert.deepStrictEqual([...(yield* shared.keys)].sort(), ["orders.primary", "profiles.primary"])
        })
    ),
    differs("fallback-tripping-call", {
      theirs:
        "fails the call that trips the circuit with a breaker error, and so falls back on a failure not in the list",
      ours: "lets that call keep its own failure",
      reason: "whether a call is the one that trips depends on others, and must not change what it returns",
      rule: "T08"
    }, () =>
      Effect.gen(function*() {
        const { fallback, log, primary } = pair(wrong)
        const run = Fallback.handler({ primary, fallback, on: ["ConnectionLost"], breaker: yield* breaker(2) })
        assert.strictEqual((yield* Effect.flip(run("user_42")))._tag, "WrongValue")
        assert.strictEqual((yield* Effect.flip(run("user_42")))._tag, "WrongValue")
        assert.deepStrictEqual(log, ["primary", "primary"])
      })),
    differs("middleware-once", {
      theirs: "wraps primary and fallback each, so the whole chain runs twice for one request",
      ours: "runs it once, around the fallback as a whole",
      reason: "one request is one log line, one transaction and one count",
      rule: "T18"
    }, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const Profile = Query.make("profiles.ById", {
          payload: { id: Schema.String },
          success: Schema.String,
          error: Schema.Union([ConnectionLost, WrongValue])
        })
        const { fallback, primary } = pair(lost)
        const counting = Middleware.make((request, self) =>
          Effect.andThen(Effect.sync(() => void log.push(request.name)), self)
        )
        const guarded = Domain.withFallback(Domain.handler(Profile, ({ id }) => primary.handle(id)), {
          fallback: Domain.handler(Profile, ({ id }) => fallback.handle(id))
        })
        const layer = Domain.toLayer([guarded], { middleware: [counting] })
        const answer = yield* Mediator.query(Profile, { id: "user_42" }).pipe(
          Effect.provide(layer.pipe(Layer.provide(memory)))
        )
        assert.strictEqual(answer, "cached user_42")
        assert.deepStrictEqual(log, ["profiles.ById"])
      })),
    differs("middleware-health", {
      theirs: "counts a failure of the middleware against the primary, in breaker and fallback",
      ours: "counts the handler alone",
      reason: "a refused token says nothing about the database",
      rule: "T18"
    }, () =>
      Effect.gen(function*() {
        const Profile = Query.make("profiles.ById", {
          payload: { id: Schema.String },
          success: Schema.String,
          error: Schema.Union([ConnectionLost, WrongValue])
        })
        const shared = yield* breaker(1)
        const { fallback, log, primary } = pair(() => Effect.succeed("fresh"))
        const run = Fallback.handler({ primary, fallback, breaker: shared })
        const layer = Domain.toLayer([Domain.handler(Profile, ({ id }) => Effect.orDie(run(id)))], {
          middleware: [Middleware.make(() => Effect.die("refused"))]
        })
        yield* Effect.exit(
          Mediator.query(Profile, { id: "user_42" }).pipe(Effect.provide(layer.pipe(Layer.provide(memory))))
        )
        assert.deepStrictEqual(log, [])
        assert.strictEqual(yield* run("user_42"), "fresh")
      })),
    equal("event-fallback", "runs an event's fallback handler when the primary fails", () =>
      Effect.gen(function*() {
        const { fallback, log, primary } = pair(lost)
        yield* Fallback.event({ primary, fallback })("NotificationSent")
        assert.deepStrictEqual(log, ["primary", "fallback"])
      })),
    differs("event-follow-up", {
      theirs: "runs the fallback when a follow-up of the event fails, although the primary has handled it",
      ours: "guards the handler alone; a follow-up's failure is its own",
      reason: "the event would be handled twice, and the failure swallowed"
    }, () =>
      Effect.gen(function*() {
        const { fallback, log, primary } = pair(() => Effect.succeed("handled"))
        const run = Fallback.event({ primary, fallback, followUp: () => Effect.fail(new NotHandled()) })
        assert.strictEqual((yield* Effect.flip(run("NotificationSent")))._tag, "NotHandled")
        assert.deepStrictEqual(log, ["primary"])
      })),
    equal("fallback-types", "refuses a fallback of another request or response type", () =>
      Effect.gen(function*() {
        const Get = Query.make("profiles.Get", { success: Schema.String })
        const Other = Query.make("profiles.Get", { success: Schema.Int })
        const get = Domain.handler(Get, () => Effect.succeed("ada"))
        const other = Domain.handler(Other, () => Effect.succeed(1)) as never as typeof get
        const exit = yield* Effect.exit(Layer.build(Domain.toLayer([Domain.withFallback(get, { fallback: other })])))
        assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "a handler of another definition")
      })),
    differs("chain-fallback", {
      theirs: "takes no chain for a primary or a fallback; a handler has to be wrapped around it",
      ours: "takes a chain wherever it takes a handler, and a fallback for every link",
      reason: "a chain is a handler"
    }, () =>
      Effect.gen(function*() {
        const Pay = Command.make("payments.Pay", { success: Schema.String, error: ConnectionLost })
        const link = (name: string) => ChainOfResponsibility.link(Pay, { name, handle: lost })
        const chain = ChainOfResponsibility.make(Pay, [
          ChainOfResponsibility.withFallback(link("first"), { fallback: link("second") })
        ], { otherwise: lost })
        const layer = Domain.toLayer([
          Domain.withFallback(chain, { fallback: Domain.handler(Pay, () => Effect.succeed("later")) })
        ])
        assert.strictEqual(yield* Effect.provide(Mediator.send(Pay, undefined), layer), "later")
      })),
    differs("chain-end", {
      theirs: "answers None when no handler of a chain takes the request",
      ours: "answers with `otherwise`, or fails with an error that is part of the chain's type",
      reason: "a caller who forgets to look for None finds out in production"
    }, () =>
      Effect.gen(function*() {
        const Pay = Command.make("payments.Pay", {
          payload: { method: Schema.String },
          success: Schema.String,
          error: ChainOfResponsibility.NotHandled
        })
        const takes = (name: string) =>
          ChainOfResponsibility.link(Pay, {
            name,
            handle: ({ method }) => method === name ? Effect.succeed(`paid by ${name}`) : ChainOfResponsibility.pass
          })
        const layer = Domain.toLayer([ChainOfResponsibility.make(Pay, [takes("card"), takes("paypal")])])
        const pay = (method: string) => Effect.provide(Mediator.send(Pay, { method }), layer)
        assert.strictEqual(yield* pay("paypal"), "paid by paypal")
        assert.strictEqual((yield* Effect.flip(pay("crypto")))._tag, "NotHandled")
      }))
  ]
}
