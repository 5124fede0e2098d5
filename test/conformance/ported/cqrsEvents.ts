import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { ChainOfResponsibility, Command, Domain, DomainEvent, Mediator, Middleware } from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Greeted, Join, joined, joinHandler, logging, UserJoined } from "../../domain/support/meetings.ts"
import { memory } from "../../domain/support/store.ts"
import { differs, equal, type Topic } from "../ported.ts"

class MailDown extends Schema.TaggedError<MailDown>()("MailDown", {}) {}

const join = Mediator.send(Join, { meetingId: "1", userId: "1" })

const defectOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(self), (exit) => String(Exit.isFailure(exit) && Cause.squash(exit.cause)))

/** Mediators, events and chains of handlers. */
export const cqrsEvents: Topic = {
  source: "python-cqrs",
  title: "python-cqrs: events and the mediator",
  file: "cqrsEvents.ts",
  behaviours: [
    equal("events-before-answer", "runs the handlers of a command's events before it answers", () => {
      const { log, note } = logging()
      const layer = Domain.toLayer([
        joinHandler,
        Domain.eventHandler(UserJoined, { name: "log", handle: () => note("handled") })
      ]).pipe(Layer.provide(memory))
      return Effect.gen(function*() {
        yield* Effect.andThen(join, note("answered"))
        assert.deepStrictEqual(log, ["handled", "answered"])
      }).pipe(Effect.provide(layer))
    }),
    equal(
      "events-many-handlers",
      "runs every handler of an event, in the order of registration when one runs at a time",
      () => {
        const { log, note } = logging()
        const layer = Domain.toLayer(
          ["a", "b"].map((name) => Domain.eventHandler(UserJoined, { name, handle: () => note(name) }))
        )
        return Effect.gen(function*() {
          yield* Mediator.publish([joined()], { concurrency: 1 })
          assert.deepStrictEqual(log, ["a", "b"])
        }).pipe(Effect.provide(layer))
      }
    ),
    equal(
      "events-follow-up",
      "runs the handlers of what a handler answers, breadth first when one runs at a time",
      () => {
        const { log, note } = logging()
        const layer = Domain.toLayer([
          Domain.eventHandler(UserJoined, {
            name: "greeter",
            handle: ({ userId }) => Effect.as(note("greeter"), [Greeted.make({ userId })])
          }),
          Domain.eventHandler(UserJoined, { name: "log", handle: () => note("log") }),
          Domain.eventHandler(Greeted, { name: "follow-up", handle: () => note("follow-up") })
        ])
        return Effect.gen(function*() {
          yield* Mediator.publish([joined()], { concurrency: 1 })
          assert.deepStrictEqual(log, ["greeter", "log", "follow-up"])
        }).pipe(Effect.provide(layer))
      }
    ),
    equal(
      "handlers-twice",
      "refuses a second handler of one command, and one event handler bound twice",
      () =>
        Effect.gen(function*() {
          const listener = Domain.eventHandler(UserJoined, { name: "log", handle: () => Effect.void })
          const twice = Domain.toLayer([joinHandler, joinHandler]).pipe(Layer.provide(memory))
          assert.include(yield* defectOf(Layer.build(twice)), "\"meetings.Join\" twice")
          assert.include(yield* defectOf(Layer.build(Domain.toLayer([listener, listener]))), "\"log\" twice")
        })
    ),
    differs("event-failure", {
      theirs: "fails the command when a handler of its event fails, although its own work is done",
      ours: "answers the command, reports the failure and runs the handler again",
      reason: "what is committed cannot be taken back, and a caller who repeats it would do it twice",
      rule: "T19"
    }, () => {
      const reports: Array<string> = []
      const record: Recorder.Recorder = (report) => {
        if (report._tag === "HookFailed") reports.push(`${report.hook} ${report.attempt}`)
      }
      let left = 1
      const layer = Domain.toLayer([
        joinHandler,
        Domain.eventHandler(UserJoined, {
          name: "mail",
          handle: () => Effect.suspend(() => left-- > 0 ? Effect.fail(new MailDown()) : Effect.void)
        })
      ]).pipe(Layer.provide(memory))
      return Effect.gen(function*() {
        const joining = yield* Effect.forkChild(join)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(joining), { users: 1 })
        assert.deepStrictEqual(reports, ["mail 1"])
      }).pipe(Effect.provide(layer), Recorder.recordTo(record))
    }),
    differs("event-siblings", {
      theirs: "raises the first error at once and leaves the other handlers running, neither awaited nor cancelled",
      ours: "lets them end and fails with every failure, or interrupts them, as `onFailure` says",
      reason: "work that outlives its call is seen by nobody, and stopped by nobody",
      rule: "T20"
    }, () => {
      const { log, note } = logging()
      const layer = Domain.toLayer([
        Domain.eventHandler(UserJoined, {
          name: "mail",
          handle: () => Effect.andThen(Effect.sleep("1 millis"), Effect.fail(new MailDown()))
        }),
        Domain.eventHandler(UserJoined, {
          name: "slow",
          handle: () =>
            Effect.sleep("1 second").pipe(
              Effect.andThen(note("slow ran")),
              Effect.onInterrupt(() => note("slow interrupted"))
            )
        })
      ])
      return Effect.gen(function*() {
        const collect = yield* Effect.forkChild(Effect.flip(Mediator.publish([joined()])))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(collect))._tag, "EventHandlersFailed")
        assert.deepStrictEqual(log.splice(0), ["slow ran"])
        const failFast = yield* Effect.forkChild(Effect.flip(Mediator.publish([joined()], { onFailure: "failFast" })))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(failFast)
        assert.deepStrictEqual(log, ["slow interrupted"])
      }).pipe(Effect.provide(layer))
    }),
    differs("event-circle", {
      theirs: "runs events that answer each other for ever",
      ours: "ends at a depth and a number of events with an error that names the circle",
      reason: "a circle is a bug, and a program that does not end does not say so",
      rule: "T21"
    }, () => {
      const layer = Domain.toLayer([
        Domain.eventHandler(UserJoined, { name: "again", handle: ({ userId }) => Effect.succeed([joined(userId)]) })
      ])
      return Effect.gen(function*() {
        const error = yield* Effect.flip(Mediator.publish([joined()], { maxDepth: 2 }))
        assert.include(error.message, "UserJoined → UserJoined → UserJoined")
      }).pipe(Effect.provide(layer))
    }),
    differs("event-repeated", {
      theirs: "collects events on the handler object, so a handler that is kept emits those of earlier commands again",
      ours: "takes the events that a decision or a handler returns",
      reason: "a value belongs to the call that returned it",
      rule: "T22"
    }, () => {
      const { log, note } = logging()
      const layer = Domain.toLayer([
        joinHandler,
        Domain.eventHandler(UserJoined, { name: "log", handle: ({ userId }) => note(userId) })
      ]).pipe(Layer.provide(memory))
      return Effect.gen(function*() {
        for (const userId of ["n0", "n1", "n2"]) yield* Mediator.send(Join, { meetingId: "1", userId })
        assert.deepStrictEqual(log, ["n0", "n1", "n2"])
      }).pipe(Effect.provide(layer))
    }),
    differs("event-nobody", {
      theirs: "logs a warning when an event has no handler",
      ours: "does not compile where such an event is published or answered; the stored events of a command need none",
      reason: "what is known before the program runs is said before it runs"
    }, () =>
      Effect.gen(function*() {
        const untyped = Mediator.publish([joined()]) as Effect.Effect<void, unknown>
        assert.include(yield* defectOf(untyped), "No handler for the event \"UserJoined\"")
        const stored = Domain.toLayer([joinHandler]).pipe(Layer.provide(memory))
        assert.deepStrictEqual(yield* Effect.provide(join, stored), { users: 1 })
      })),
    differs("event-middleware", {
      theirs: "takes middleware for the mediators of events and of streams and never calls it",
      ours: "runs it once for each event at each handler",
      reason: "a check that is not called checks nothing",
      rule: "T18"
    }, () => {
      const { log, note } = logging()
      const layer = Domain.toLayer([
        Domain.eventHandler(UserJoined, { name: "a", handle: () => Effect.void }),
        Domain.eventHandler(UserJoined, { name: "b", handle: () => Effect.void })
      ], { middleware: [Middleware.make((request, self) => Effect.andThen(note(request.name), self))] })
      return Effect.gen(function*() {
        yield* Mediator.publish([joined()], { concurrency: 1 })
        assert.deepStrictEqual(log, ["a", "b"])
      }).pipe(Effect.provide(layer))
    }),
    differs("event-names", {
      theirs: "keeps the names of outboxed events in one registry of the process, and refuses a name twice there",
      ours: "has no registry: two definitions of one event type in one layer do not build",
      reason: "a registry of the process is shared by tests and libraries that know nothing of each other"
    }, () =>
      Effect.gen(function*() {
        const Other = DomainEvent.make("UserJoined", { schema: {} })
        const other = Domain.eventHandler(Other, { name: "other", handle: () => Effect.void })
        const both = Domain.toLayer([joinHandler, other]).pipe(Layer.provide(memory))
        assert.include(yield* defectOf(Layer.build(both)), "two definitions of \"UserJoined\"")
      })),
    differs("chain-events", {
      theirs: "emits the events of the first handler of a chain only, whichever handled the request",
      ours: "tells the events of the link that handled it",
      reason: "the first link is the one that most often does not handle",
      rule: "T22"
    }, () => {
      const { log, note } = logging()
      const Enter = Command.make("meetings.Enter", { success: Schema.Int })
      const layer = Domain.toLayer([
        joinHandler,
        ChainOfResponsibility.make(Enter, [
          ChainOfResponsibility.link(Enter, { name: "first", handle: () => ChainOfResponsibility.pass }),
          ChainOfResponsibility.link(Enter, {
            name: "second",
            handle: () => Effect.orDie(Effect.map(join, ({ users }) => users))
          })
        ], { otherwise: () => Effect.succeed(0) }),
        Domain.eventHandler(UserJoined, { name: "log", handle: () => note("told") })
      ]).pipe(Layer.provide(memory))
      return Effect.gen(function*() {
        assert.strictEqual(yield* Mediator.send(Enter, undefined), 1)
        assert.deepStrictEqual(log, ["told"])
      }).pipe(Effect.provide(layer))
    })
  ]
}
