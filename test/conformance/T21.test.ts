import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schedule, Schema } from "effect"
import { Command, Domain, EventHandler, Mediator } from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { Counted, Greeted, Join, joined, joinHandler, logging, UserJoined } from "../domain/support/meetings.ts"
import { memory } from "../domain/support/store.ts"

class CounterFull extends Schema.TaggedError<CounterFull>()("CounterFull", {}) {}

/** Two events that answer each other. */
const circle = () => {
  const { log, note } = logging()
  const layer = Domain.toLayer([
    Domain.eventHandler(UserJoined, {
      name: "greeter",
      handle: ({ userId }) => Effect.as(note("greeter"), [Greeted.make({ userId })])
    }),
    Domain.eventHandler(Greeted, {
      name: "joiner",
      handle: ({ userId }) => Effect.as(note("joiner"), [UserJoined.make({ userId })])
    })
  ])
  return { layer, log }
}

describe("T21: follow-up events have their own failures, and an end", () => {
  it.effect("a follow-up that fails leads neither to the parent's fallback nor against its circuit", () => {
    const { log, note } = logging()
    return Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        name: "events",
        trip: CircuitBreaker.consecutive(1),
        breakDuration: "1 minute"
      })
      const layer = Domain.toLayer([
        Domain.withEventFallback(
          Domain.eventHandler(UserJoined, {
            name: "primary",
            handle: () => Effect.as(note("primary"), [Counted.make({ users: 1 })])
          }),
          { fallback: Domain.eventHandler(UserJoined, { name: "fallback", handle: () => note("fallback") }), breaker }
        ),
        Domain.eventHandler(Counted, {
          name: "counter",
          handle: () => Effect.andThen(note("follow-up"), new CounterFull())
        })
      ])
      const error = yield* Effect.flip(Effect.provide(Mediator.publish([joined()]), layer))
      assert.deepStrictEqual(log, ["primary", "follow-up"])
      assert.strictEqual(error.message, "An event handler failed: counter on UserJoined → Counted: CounterFull")
      assert.strictEqual((yield* breaker.snapshot("primary")).state, "Closed")
    })
  })

  it.effect("a circle of events ends in an error that names it", () => {
    const { layer, log } = circle()
    return Effect.gen(function*() {
      const error = yield* Effect.flip(Mediator.publish([joined()], { maxDepth: 3 }))
      assert.deepStrictEqual(
        error,
        new EventHandler.EventLoop({
          cap: "maxDepth",
          limit: 3,
          chain: ["UserJoined", "Greeted", "UserJoined", "Greeted"]
        })
      )
      assert.include(
        error.message,
        "Events follow each other in a circle (maxDepth is 3): UserJoined → Greeted → UserJoined → Greeted"
      )
      assert.deepStrictEqual(log.splice(0), ["greeter", "joiner", "greeter"])
      assert.strictEqual((yield* Effect.flip(Mediator.publish([joined()])))._tag, "EventLoop")
      assert.lengthOf(log, 16)
    }).pipe(Effect.provide(layer))
  })

  it.effect("a flood of events ends at the number", () => {
    const { log, note } = logging()
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, {
        name: "flood",
        handle: () => Effect.succeed(Array.from({ length: 100 }, (_, users) => Counted.make({ users })))
      }),
      Domain.eventHandler(Counted, { name: "counter", handle: () => note("counter") })
    ])
    return Effect.gen(function*() {
      const error = yield* Effect.flip(Mediator.publish([joined()], { maxEvents: 50 }))
      assert.deepStrictEqual(
        error,
        new EventHandler.EventLoop({ cap: "maxEvents", limit: 50, chain: ["UserJoined", "Counted"] })
      )
      assert.isAtMost(log.splice(0).length, 49)
      yield* Mediator.publish([joined()])
      assert.lengthOf(log, 100)
    }).pipe(Effect.provide(layer))
  })

  it.effect("the failures from before a circle are told beside it", () => {
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, { name: "broken", handle: () => new CounterFull() }),
      Domain.eventHandler(UserJoined, { name: "again", handle: () => Effect.succeed([joined()]) })
    ])
    return Effect.gen(function*() {
      const exit = yield* Effect.exit(Mediator.publish([joined()], { maxDepth: 2, concurrency: 1 }))
      const tags = Exit.isFailure(exit)
        ? exit.cause.reasons.map((one) => Cause.isFailReason(one) && one.error._tag)
        : []
      assert.deepStrictEqual(tags, ["EventLoop", "EventHandlersFailed"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("a circle through commands is the same circle, and the committed commands keep their answers", () => {
    const { log, note } = logging()
    const caught: Array<string> = []
    const record: Recorder.Recorder = (report) => {
      if (report._tag === "DefectCaught") caught.push(String(Cause.squash(report.cause)))
    }
    const layer = Domain.toLayer([
      joinHandler,
      Domain.eventHandler(UserJoined, {
        name: "brings-a-friend",
        handle: ({ userId }, { origin }) =>
          Effect.andThen(
            note(userId),
            Mediator.send(Join, { meetingId: origin?.id ?? "", userId: `${userId}'s friend` })
          )
            .pipe(Effect.asVoid)
      })
    ], { events: { maxDepth: 3 }, listeners: Schedule.recurs(0) })
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Mediator.send(Join, { meetingId: "m-1", userId: "ada" }), { users: 1 })
      assert.deepStrictEqual(log, ["ada", "ada's friend", "ada's friend's friend"])
      assert.lengthOf(caught, 1)
      assert.include(caught[0], "UserJoined → UserJoined → UserJoined → UserJoined")
    }).pipe(Effect.provide(layer.pipe(Layer.provide(memory))), Recorder.recordTo(record))
  })

  it.effect("a follow-up that nobody handles is a bug, not a silence", () => {
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, {
        name: "greeter",
        handle: ({ userId }) => Effect.succeed([Greeted.make({ userId })])
      })
    ])
    return Effect.gen(function*() {
      const untyped = Effect.provide(Mediator.publish([joined()]), layer) as Effect.Effect<void, unknown>
      const exit = yield* Effect.exit(untyped)
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "No handler for the event \"Greeted\"")
    })
  })

  it.effect("caps that would tell nobody are refused", () =>
    Effect.gen(function*() {
      const { layer } = circle()
      const publish = Effect.suspend(() => Mediator.publish([joined()], { maxDepth: 0 }))
      const exit = yield* Effect.exit(Effect.provide(publish, layer))
      assert.include(
        String(Exit.isFailure(exit) && Cause.squash(exit.cause)),
        "Mediator.publish: maxDepth must be a whole number from 1, got 0"
      )
      const Noop = Command.make("noop.Noop")
      const built = yield* Effect.exit(Layer.build(
        Domain.toLayer([Domain.handler(Noop, () => Effect.void)], { events: { concurrency: 0 } })
      ))
      assert.include(String(Exit.isFailure(built) && Cause.squash(built.cause)), "Domain.toLayer: concurrency")
    }))
})
