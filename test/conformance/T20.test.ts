import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Domain, EventHandler, Mediator } from "effect-lifecycle/domain"
import { Greeted, joined, logging, UserJoined } from "../domain/support/meetings.ts"

class MailDown extends Schema.TaggedError<MailDown>()("MailDown", {}) {}
class StatsDown extends Schema.TaggedError<StatsDown>()("StatsDown", {}) {}

/** Handlers that sleep, note their end or their interruption, and end as told. */
const sleepers = (ends: Record<string, readonly [seconds: number, end: Effect.Effect<void, MailDown | StatsDown>]>) => {
  const { log, note } = logging()
  const handlers = Object.entries(ends).map(([name, [seconds, end]]) =>
    Domain.eventHandler(UserJoined, {
      name,
      handle: () =>
        Effect.sleep(`${seconds} seconds`).pipe(
          Effect.andThen(note(`${name} ran`)),
          Effect.andThen(end),
          Effect.onInterrupt(() => note(`${name} interrupted`))
        )
    })
  )
  return { layer: Domain.toLayer(handlers), log }
}

const mailDown = Effect.fail(new MailDown())

describe("T20: the handlers of an event are structured", () => {
  it.effect("collect: lets the others end, and fails with every failure", () => {
    const { layer, log } = sleepers({ mail: [1, mailDown], audit: [2, Effect.void], stats: [3, new StatsDown()] })
    return Effect.gen(function*() {
      const publishing = yield* Effect.forkChild(Effect.flip(Mediator.publish([joined()])))
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(publishing)
      assert.instanceOf(error, EventHandler.EventHandlersFailed)
      assert.deepStrictEqual(log, ["mail ran", "audit ran", "stats ran"])
      assert.deepStrictEqual(
        (error as EventHandler.EventHandlersFailed).failures.map((
          { cause, handler }
        ) => [handler, Cause.squash(cause)]),
        [["mail", new MailDown()], ["stats", new StatsDown()]]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("failFast: interrupts the others and waits for their finalizers", () => {
    const { layer, log } = sleepers({ mail: [1, mailDown], audit: [2, Effect.void], stats: [3, Effect.void] })
    return Effect.gen(function*() {
      const publishing = yield* Effect.forkChild(Effect.flip(Mediator.publish([joined()], { onFailure: "failFast" })))
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(publishing)
      assert.strictEqual(error.message, "An event handler failed: mail on UserJoined: MailDown")
      assert.deepStrictEqual(log.splice(0), ["mail ran", "audit interrupted", "stats interrupted"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(log, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("interrupts all of them with the caller, who waits for their finalizers", () => {
    const { layer, log } = sleepers({ mail: [1, Effect.void], audit: [2, Effect.void] })
    return Effect.gen(function*() {
      const publishing = yield* Effect.forkChild(Mediator.publish([joined()]))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(publishing)
      assert.deepStrictEqual(log.splice(0), ["mail ran", "audit interrupted"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(log, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("runs `concurrency` of them at once, follow-ups included, and no more", () => {
    let running = 0
    let most = 0
    const busy = Effect.acquireUseRelease(
      Effect.sync(() => {
        most = Math.max(most, ++running)
      }),
      () => Effect.sleep("1 second"),
      () => Effect.sync(() => void running--)
    )
    const layer = Domain.toLayer([
      ...["a", "b", "c"].map((name) =>
        Domain.eventHandler(UserJoined, {
          name,
          handle: ({ userId }) => Effect.as(busy, [Greeted.make({ userId }), Greeted.make({ userId })])
        })
      ),
      Domain.eventHandler(Greeted, { name: "greeted", handle: () => busy })
    ])
    return Effect.gen(function*() {
      for (const concurrency of [1, 2, 5, "unbounded"] as const) {
        most = 0
        const publishing = yield* Effect.forkChild(Mediator.publish([joined(), joined()], { concurrency }))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(publishing)
        assert.strictEqual(most, concurrency === "unbounded" ? 12 : concurrency)
        assert.strictEqual(running, 0)
      }
    }).pipe(Effect.provide(layer))
  })

  it.effect("does not hold a follow-up back for a slow handler of the first event", () => {
    const { log, note } = logging()
    return Effect.gen(function*() {
      const slow = yield* Deferred.make<void>()
      const layer = Domain.toLayer([
        Domain.eventHandler(UserJoined, { name: "slow", handle: () => Deferred.await(slow) }),
        Domain.eventHandler(UserJoined, {
          name: "quick",
          handle: ({ userId }) => Effect.succeed([Greeted.make({ userId })])
        }),
        Domain.eventHandler(Greeted, { name: "greeted", handle: () => note("greeted") })
      ])
      const publishing = yield* Effect.forkChild(Effect.provide(Mediator.publish([joined()]), layer))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["greeted"])
      assert.isUndefined(publishing.pollUnsafe())
      yield* Deferred.succeed(slow, undefined)
      yield* Fiber.join(publishing)
    })
  })
})
