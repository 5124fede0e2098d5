import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Schedule, Schema } from "effect"
import { RpcGroup, RpcTest } from "effect/rpc"
import { TestClock } from "effect/testing"
import { Command, Domain, DomainError, DomainEvent, EventHandler, Mediator, Middleware } from "effect-lifecycle/domain"
import { EventStore, Subscription, UnitOfWork } from "effect-lifecycle/store"
import { Counted, Greeted, Join, joined, joinHandler, logging, UserJoined } from "./support/meetings.ts"
import { memory } from "./support/store.ts"

class Name extends Context.Service<Name, string>()("test/domain/EventHandler/Name") {}
class MailDown extends Schema.TaggedError<MailDown>()("MailDown", { host: Schema.String }) {
  override get message() {
    return `no connection to ${this.host}`
  }
}

const defectOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(self), (exit) => String(Exit.isFailure(exit) && Cause.squash(exit.cause)))

describe("EventHandler", () => {
  it.effect("tells every handler of an event, those of other layers too, in their order when one runs at a time", () => {
    const { log, note } = logging()
    const listen = (name: string) =>
      Domain.eventHandler(UserJoined, { name, handle: ({ userId }) => note(`${name} ${userId}`) })
    const layer = Layer.merge(Domain.toLayer([listen("a"), listen("b")]), Domain.toLayer([listen("c")]))
    return Effect.gen(function*() {
      yield* Mediator.publish([joined("ada"), joined("bob")], { concurrency: 1 })
      assert.deepStrictEqual(log, ["a ada", "b ada", "c ada", "a bob", "b bob", "c bob"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("tells follow-ups breadth first, and which events led to them", () => {
    const { log, note } = logging()
    const chain = ({ chain }: EventHandler.Told) => note(chain.join(" > "))
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, {
        name: "greeter",
        handle: ({ userId }, told) => Effect.as(chain(told), [Greeted.make({ userId })])
      }),
      Domain.eventHandler(UserJoined, { name: "log", handle: (_, told) => chain(told) }),
      Domain.eventHandler(Greeted, {
        name: "counter",
        handle: (_, told) => Effect.as(chain(told), [Counted.make({ users: 1 })])
      }),
      Domain.eventHandler(Counted, { name: "stats", handle: (_, told) => chain(told) })
    ])
    return Effect.gen(function*() {
      yield* Mediator.publish([joined()], { concurrency: 1 })
      assert.deepStrictEqual(log, [
        "UserJoined",
        "UserJoined",
        "UserJoined > Greeted",
        "UserJoined > Greeted > Counted"
      ])
    }).pipe(Effect.provide(layer))
  })

  it.effect("says of every failure which handler, on which event, and why", () => {
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, { name: "mail", handle: () => new MailDown({ host: "smtp" }) }),
      Domain.eventHandler(UserJoined, { name: "bug", handle: () => Effect.die(new TypeError("x is undefined")) }),
      Domain.eventHandler(UserJoined, { name: "gone", handle: () => Effect.interrupt })
    ])
    return Effect.gen(function*() {
      const error = yield* Effect.flip(Mediator.publish([joined()]))
      assert.strictEqual(
        error.message,
        "3 event handlers failed: mail on UserJoined: MailDown: no connection to smtp; " +
          "bug on UserJoined: TypeError: x is undefined; gone on UserJoined: it was interrupted"
      )
      const codec = Schema.toCodecJson(EventHandler.EventHandlersFailed)
      const sent = JSON.stringify(yield* Schema.encodeUnknownEffect(codec)(error))
      const roundTrip = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(sent))
      assert.deepStrictEqual(roundTrip.failures.map((failure) => failure.handler), ["mail", "bug", "gone"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("runs a handler again as its schedule says, and its siblings once", () => {
    const { log, note } = logging()
    let left = 2
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, {
        name: "mail",
        retry: Schedule.recurs(2),
        handle: () =>
          Effect.andThen(note("mail"), Effect.suspend(() => left-- > 0 ? new MailDown({ host: "smtp" }) : Effect.void))
      }),
      Domain.eventHandler(UserJoined, { name: "stats", handle: () => note("stats") })
    ])
    return Effect.gen(function*() {
      yield* Mediator.publish([joined()], { concurrency: 1 })
      assert.deepStrictEqual(log, ["mail", "mail", "mail", "stats"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("gives a handler the caller's services over those of its layer, but the layer's own stores", () => {
    const { log, note } = logging()
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, { name: "named", handle: () => Effect.flatMap(Name, note) })
    ]).pipe(Layer.provide(Layer.succeed(Name, "layer")))
    const publish = Mediator.publish([joined()])
    return Effect.gen(function*() {
      yield* Effect.provide(publish, layer)
      yield* publish.pipe(Effect.provideService(Name, "caller"), Effect.provide(layer))
      assert.deepStrictEqual(log, ["layer", "caller"])
    })
  })

  it.effect("lets a middleware keep an event from a handler", () => {
    const { log, note } = logging()
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, { name: "mail", handle: () => note("mail") }),
      Domain.eventHandler(UserJoined, { name: "stats", handle: () => note("stats") })
    ], {
      middleware: [
        Middleware.make((request, self) =>
          request.name === "mail" ? new DomainError.Refused({ name: "mail", reason: "off" }) : self
        )
      ]
    })
    return Effect.gen(function*() {
      const error = yield* Effect.flip(Mediator.publish([joined()]))
      assert.include(error.message, "mail on UserJoined: Refused: \"mail\" was refused: off")
      assert.deepStrictEqual(log, ["stats"])
    }).pipe(Effect.provide(layer))
  })

  describe("the events of a command", () => {
    const listening = (note: (line: string) => Effect.Effect<void>) =>
      Domain.toLayer([
        joinHandler,
        Domain.eventHandler(UserJoined, {
          name: "log",
          handle: ({ userId }, { origin }) =>
            note(`${userId} ${origin?.aggregate}/${origin?.id} ${origin?.version} by ${origin?.meta["command"]}`)
        }),
        Domain.eventHandler(UserJoined, { name: "durable", durable: true, handle: () => note("durable") })
      ]).pipe(Layer.provideMerge(memory))

    it.effect("are told after the commit and before the answer, with where they were stored", () => {
      const { log, note } = logging()
      return Effect.gen(function*() {
        yield* Effect.andThen(Mediator.send(Join, { meetingId: "m-1", userId: "ada" }), note("answered"))
        yield* Mediator.send(Join, { meetingId: "m-1", userId: "bob" })
        assert.deepStrictEqual(log, [
          "ada Meeting/m-1 1 by meetings.Join",
          "answered",
          "bob Meeting/m-1 2 by meetings.Join"
        ])
      }).pipe(Effect.provide(listening(note)))
    })

    it.effect("are told on every way in", () => {
      const { log, note } = logging()
      return Effect.gen(function*() {
        const client = yield* RpcTest.makeClient(RpcGroup.make(Join), { flatten: true })
        yield* client("meetings.Join", { meetingId: "m-1", userId: "ada" })
        assert.deepStrictEqual(log, ["ada Meeting/m-1 1 by meetings.Join"])
      }).pipe(Effect.provide(listening(note)))
    })

    it.effect("are not told for a replay, nor for a command that keeps nothing", () => {
      const { log, note } = logging()
      return Effect.gen(function*() {
        const send = Mediator.send(Join, { meetingId: "m-1", userId: "ada" }, { commandId: "c-1" })
        yield* Effect.andThen(send, send)
        yield* Effect.flip(Mediator.send(Join, { meetingId: "m-1", userId: "bob" }, { expectedVersion: 7 }))
        assert.lengthOf(log, 1)
      }).pipe(Effect.provide(listening(note)))
    })

    it.effect("are told after the one commit of a transaction, and not after a rollback", () => {
      const { log, note } = logging()
      const two = Effect.gen(function*() {
        yield* Mediator.send(Join, { meetingId: "m-1", userId: "ada" })
        yield* Mediator.send(Join, { meetingId: "m-2", userId: "bob" })
        yield* note("inside")
      })
      return Effect.gen(function*() {
        yield* Effect.exit(Domain.transaction(Effect.andThen(two, Effect.fail("no"))))
        assert.deepStrictEqual(log.splice(0), ["inside"])
        const told = [
          "inside",
          "ada Meeting/m-1 1 by meetings.Join",
          "bob Meeting/m-2 1 by meetings.Join",
          "answered"
        ]
        yield* Effect.andThen(Domain.transaction(Domain.transaction(two)), note("answered"))
        assert.deepStrictEqual(log.splice(0), told)
      }).pipe(Effect.provide(listening(note)))
    })

    it.effect("are told after the commit of a unit of work that the caller opened", () => {
      const { log, note } = logging()
      return Effect.gen(function*() {
        const unit = yield* UnitOfWork.UnitOfWork
        const send = Mediator.send(Join, { meetingId: "m-1", userId: "ada" })
        yield* unit.run(Effect.andThen(Domain.transaction(send), note("inside")))
        yield* unit.run(Effect.andThen(Mediator.send(Join, { meetingId: "m-2", userId: "bob" }), note("inside")))
        assert.deepStrictEqual(log, [
          "inside",
          "ada Meeting/m-1 1 by meetings.Join",
          "inside",
          "bob Meeting/m-2 1 by meetings.Join"
        ])
      }).pipe(Effect.provide(listening(note)))
    })

    it.effect("see the transaction closed: a handler's own command has its own", () => {
      const { log, note } = logging()
      const layer = Domain.toLayer([
        joinHandler,
        Domain.eventHandler(UserJoined, {
          name: "second-room",
          handle: ({ userId }, { origin }) =>
            origin?.id === "m-1"
              ? Effect.gen(function*() {
                const unit = yield* UnitOfWork.UnitOfWork
                yield* note(`open: ${yield* unit.isOpen}`)
                yield* Mediator.send(Join, { meetingId: "m-2", userId })
              })
              : note(`joined ${origin?.id}`)
        })
      ]).pipe(Layer.provideMerge(memory))
      return Effect.gen(function*() {
        const sends = Mediator.send(Join, { meetingId: "m-1", userId: "ada" })
        yield* sends
        yield* Domain.transaction(sends)
        assert.deepStrictEqual(log, ["open: false", "joined m-2", "open: false", "joined m-2"])
      }).pipe(Effect.provide(layer))
    })
  })

  describe("Mediator.subscription", () => {
    it.effect("tells stored events to their durable handlers, and only to those", () => {
      const { log, note } = logging()
      const layer = Domain.toLayer([
        Domain.eventHandler(UserJoined, { name: "quick", handle: () => note("quick") }),
        Domain.eventHandler(UserJoined, {
          name: "mail",
          durable: true,
          handle: ({ userId }, { origin }) => Effect.as(note(`${userId} ${origin?.id}`), [Counted.make({ users: 1 })])
        }),
        Domain.eventHandler(Counted, { name: "stats", handle: ({ users }) => note(`counted ${users}`) })
      ]).pipe(Layer.provideMerge(memory))
      return Effect.gen(function*() {
        const store = yield* EventStore.EventStore
        const subscriptions = yield* Subscription.Subscriptions
        const event = { type: "UserJoined", data: { userId: "ada" } }
        yield* store.append({ stream: { category: "Meeting", id: "m-1" }, expect: "any", events: [event] })
        yield* store.append({ stream: { category: "Club", id: "c-1" }, expect: "any", events: [event] })
        yield* Effect.forkChild(subscriptions.run(
          Mediator.subscription({ name: "mail", events: [UserJoined], categories: ["Meeting"] })
        ))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(log, ["ada m-1", "counted 1"])
      }).pipe(Effect.provide(layer))
    })

    it.effect("pauses at an event that it cannot read", () => {
      const layer = Domain.toLayer([
        Domain.eventHandler(UserJoined, { name: "mail", durable: true, handle: () => Effect.void })
      ]).pipe(Layer.provideMerge(memory))
      return Effect.gen(function*() {
        const store = yield* EventStore.EventStore
        const subscriptions = yield* Subscription.Subscriptions
        yield* store.append({
          stream: { category: "Meeting", id: "m-1" },
          expect: "any",
          events: [{ type: "UserJoined", data: { userId: 7 } }]
        })
        yield* Effect.forkChild(subscriptions.run(Mediator.subscription({ name: "mail", events: [UserJoined] })))
        yield* TestClock.adjust("1 minute")
        assert.include((yield* subscriptions.status("mail"))?.paused?.reason, "InvalidEvent")
      }).pipe(Effect.provide(layer))
    })
  })

  it("is not subscribed to by two definitions of one type, and may be named twice", () => {
    const Other = DomainEvent.make("UserJoined", { schema: { count: Schema.Int } })
    assert.throws(
      () => Mediator.subscription({ name: "mail", events: [UserJoined, Other] }),
      /Mediator\.subscription: events must be one definition for each event type, got two definitions of "UserJoined"/
    )
    assert.deepStrictEqual(Mediator.subscription({ name: "mail", events: [UserJoined, UserJoined] }).types, [
      "UserJoined"
    ])
  })

  describe("does not build", () => {
    const listen = (name: string) => Domain.eventHandler(UserJoined, { name, handle: () => Effect.void })

    it.effect("with two handlers of one event under one name", () =>
      Effect.gen(function*() {
        const defect = yield* defectOf(Layer.build(Domain.toLayer([listen("mail"), listen("mail")])))
        assert.include(defect, "Domain.toLayer: handlers must be one handler for each definition")
        assert.include(defect, "\"mail\" twice")
      }))

    it.effect("with two definitions of one event type", () =>
      Effect.gen(function*() {
        const Other = DomainEvent.make("UserJoined", { schema: { count: Schema.Int } })
        const other = Domain.eventHandler(Other, { name: "other", handle: () => Effect.void })
        assert.include(
          yield* defectOf(Layer.build(Domain.toLayer([listen("mail"), other]))),
          "two definitions of \"UserJoined\""
        )
        assert.include(
          yield* defectOf(Layer.build(Domain.toLayer([joinHandler, other]).pipe(Layer.provide(memory)))),
          "two definitions of \"UserJoined\""
        )
      }))

    it.effect("and publish says so when nobody handles an event", () =>
      Effect.gen(function*() {
        const publish = Mediator.publish([joined()]) as Effect.Effect<void, unknown>
        assert.include(yield* defectOf(publish), "No handler for the event \"UserJoined\"")
        const Noop = Command.make("noop.Noop")
        yield* Effect.provide(Mediator.publish([]), Domain.toLayer([Domain.handler(Noop, () => Effect.void)]))
      }))
  })
})
