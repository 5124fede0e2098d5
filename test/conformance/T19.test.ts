import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Domain, type EventHandler, type Hooks, Mediator } from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Subscription } from "effect-lifecycle/store"
import { Join, joinHandler, logging, UserJoined } from "../domain/support/meetings.ts"
import { byIdHandler, Pay, payHandler, Place, placeHandler } from "../domain/support/orders.ts"
import { allEvents, memory } from "../domain/support/store.ts"

const handlers = [placeHandler, payHandler, byIdHandler] as const
const layerWith = (hooks: Hooks.Hooks) =>
  Domain.toLayer(handlers, {
    hooks: [hooks],
    listeners: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(2)])
  })
    .pipe(Layer.provideMerge(memory))

const join = Mediator.send(Join, { meetingId: "m-1", userId: "ada" })
const listening = (
  listener: EventHandler.EventHandler<"UserJoined", never>,
  events: Domain.EventOptions = {}
) =>
  Domain.toLayer([joinHandler, listener], {
    events,
    listeners: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(2)])
  }).pipe(Layer.provideMerge(memory))

const recording = () => {
  const reports: Array<string> = []
  const record: Recorder.Recorder = (report) => {
    if (report._tag === "HookFailed") {
      reports.push(`${report.hook} ${report.command} ${report.attempt} ${report.willRetry ? "again" : "given up"}`)
    }
  }
  return { reports, record }
}
const place = Mediator.send(Place, { orderId: "o-1", quantity: 1 })
const placed = { orderId: "o-1", quantity: 1, version: 1 }

describe("T19: a committed command returns its result whatever its listeners do", () => {
  it.effect("reports a failing afterStore, retries it and leaves the result as it is", () => {
    const { record, reports } = recording()
    let runs = 0
    const failing: Hooks.Hooks = { afterStore: () => ++runs < 3 ? Effect.fail("no broker") : Effect.void }
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* place, placed)
      assert.deepStrictEqual(reports, ["afterStore orders.Place 1 again"])
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(runs, 3)
      assert.deepStrictEqual(reports, ["afterStore orders.Place 1 again", "afterStore orders.Place 2 again"])
      assert.lengthOf(yield* allEvents, 1)
    }).pipe(Effect.provide(layerWith(failing)), Recorder.recordTo(record))
  })

  it.effect("gives up after the last attempt, for a failure, a defect and a throw alike", () =>
    Effect.gen(function*() {
      const ways: Array<Hooks.Hooks> = [
        { afterStore: () => Effect.fail("no broker") },
        { afterStore: () => Effect.die("bug") },
        {
          afterStore: () => {
            throw new Error("bug")
          }
        }
      ]
      for (const way of ways) {
        const { record, reports } = recording()
        yield* Effect.gen(function*() {
          assert.deepStrictEqual(yield* place, placed)
          yield* TestClock.adjust("10 seconds")
          assert.deepStrictEqual(reports.at(-1), "afterStore orders.Place 3 given up")
          assert.lengthOf(reports, 3)
        }).pipe(Effect.provide(Layer.fresh(layerWith(way))), Recorder.recordTo(record))
      }
    }))

  it.effect("does not let the caller wait for a slow afterStore, nor a slow one for another", () => {
    const done: Array<string> = []
    const slow: Hooks.Hooks = {
      afterStore: () => Effect.andThen(Effect.sleep("1 hour"), Effect.sync(() => done.push("slow")))
    }
    const quick: Hooks.Hooks = { afterStore: () => Effect.sync(() => void done.push("quick")) }
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* place, placed)
      assert.deepStrictEqual(done, ["quick"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(done, ["quick", "slow"])
    }).pipe(Effect.provide(
      Domain.toLayer(handlers, { hooks: [slow, quick] }).pipe(Layer.provide(memory))
    ))
  })

  it.effect("lets a listener send a command of its own", () => {
    const paying: Hooks.Hooks<never> = {
      afterStore: (command) =>
        command.name === "orders.Place"
          ? Effect.asVoid(Mediator.send(Pay, { orderId: "o-1" }) as Effect.Effect<unknown, unknown>)
          : Effect.void
    }
    return Effect.gen(function*() {
      yield* place
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* allEvents).map((event) => event.type), ["OrderPlaced", "OrderPaid"])
    }).pipe(Effect.provide(layerWith(paying)))
  })

  it.effect("reports a failing afterCommand and leaves the result as it is", () => {
    const { record, reports } = recording()
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* place, placed)
      assert.deepStrictEqual(reports, ["afterCommand orders.Place 1 given up"])
    }).pipe(Effect.provide(layerWith({ afterCommand: () => Effect.die("bug") })), Recorder.recordTo(record))
  })

  it.effect("answers a command whose event handler fails, reports that and tries it again", () => {
    const { record, reports } = recording()
    let runs = 0
    const layer = listening(Domain.eventHandler(UserJoined, {
      name: "mail",
      handle: () => Effect.suspend(() => ++runs < 3 ? Effect.fail("no broker") : Effect.void)
    }))
    return Effect.gen(function*() {
      const joining = yield* Effect.forkChild(join)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(joining), { users: 1 })
      assert.strictEqual(runs, 3)
      assert.deepStrictEqual(reports, ["mail meetings.Join 1 again", "mail meetings.Join 2 again"])
    }).pipe(Effect.provide(layer), Recorder.recordTo(record))
  })

  it.effect("keeps the answer when an event handler never succeeds, for a failure, a defect and a throw alike", () =>
    Effect.gen(function*() {
      const ways: ReadonlyArray<() => Effect.Effect<void, string>> = [
        () => Effect.fail("no broker"),
        () => Effect.die("bug"),
        () => {
          throw new Error("bug")
        }
      ]
      for (const handle of ways) {
        const { record, reports } = recording()
        yield* Effect.gen(function*() {
          const joining = yield* Effect.forkChild(join)
          yield* TestClock.adjust("10 seconds")
          assert.deepStrictEqual(yield* Fiber.join(joining), { users: 1 })
          assert.lengthOf(reports, 3)
          assert.strictEqual(reports.at(-1), "mail meetings.Join 3 given up")
        }).pipe(
          Effect.provide(Layer.fresh(listening(Domain.eventHandler(UserJoined, { name: "mail", handle })))),
          Recorder.recordTo(record)
        )
      }
    }))

  it.effect("in the background, the caller does not wait for the handlers, which end with the layer", () => {
    const { log, note } = logging()
    const slow = Domain.eventHandler(UserJoined, {
      name: "slow",
      handle: () =>
        Effect.sleep("1 hour").pipe(Effect.andThen(note("ran")), Effect.onInterrupt(() => note("interrupted")))
    })
    return Effect.gen(function*() {
      yield* Effect.provide(join, listening(slow, { delivery: "background" }))
      assert.deepStrictEqual(log, ["interrupted"])
    })
  })

  it.effect("interrupts the handlers with a caller who does not wait, and the events stay stored", () => {
    const { log, note } = logging()
    const slow = Domain.eventHandler(UserJoined, {
      name: "slow",
      handle: () => Effect.onInterrupt(Effect.never, () => note("interrupted"))
    })
    return Effect.gen(function*() {
      const joining = yield* Effect.forkChild(join)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(joining)
      assert.deepStrictEqual(log, ["interrupted"])
      assert.lengthOf(yield* allEvents, 1)
    }).pipe(Effect.provide(listening(slow)))
  })

  it.effect("leaves the event of a failing durable handler pending, until the handler takes it", () => {
    const { log, note } = logging()
    let down = true
    const layer = listening(Domain.eventHandler(UserJoined, {
      name: "mail",
      durable: true,
      handle: ({ userId }, { origin }) =>
        Effect.suspend(() =>
          down ? Effect.fail("no broker") : note(`${userId} joined ${origin?.id} ${origin?.version}`)
        )
    }))
    return Effect.gen(function*() {
      const subscriptions = yield* Subscription.Subscriptions
      assert.deepStrictEqual(yield* join, { users: 1 })
      yield* Effect.forkChild(
        subscriptions.run(Mediator.subscription({ name: "mail", events: [UserJoined], retry: Schedule.recurs(1) }))
      )
      yield* TestClock.adjust("1 minute")
      const waiting = yield* subscriptions.status("mail")
      assert.strictEqual(waiting?.lag, 1n)
      assert.include(waiting?.paused?.reason, "EventHandlersFailed")
      down = false
      yield* subscriptions.resume("mail")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* subscriptions.status("mail"))?.lag, 0n)
      assert.deepStrictEqual(log, ["ada joined m-1 1"])
    }).pipe(Effect.provide(layer))
  })
})
