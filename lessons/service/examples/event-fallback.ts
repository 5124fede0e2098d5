/** An event handler with a second one behind it, and what follows from the event. */
import { Effect, Schema } from "effect"
import { Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { ours, source } from "./support/say.ts"

class NotificationsDown extends Schema.TaggedError<NotificationsDown>()("NotificationsDown", {}) {}
class CounterFull extends Schema.TaggedError<CounterFull>()("CounterFull", {}) {}

const NotificationSent = DomainEvent.make("NotificationSent", {
  schema: { userId: Schema.String, message: Schema.String }
})
const Counted = DomainEvent.make("Counted", { schema: { userId: Schema.String } })

const ran: Array<string> = []
const note = (text: string) => Effect.sync(() => void ran.push(text))

const push = Domain.eventHandler(NotificationSent, {
  name: "notifications.push",
  handle: () => Effect.andThen(note("primary"), Effect.fail(new NotificationsDown()))
})
const enqueue = Domain.eventHandler(NotificationSent, {
  name: "notifications.queue",
  handle: () => note("fallback")
})

const event = NotificationSent.make({ userId: "user_1", message: "Hello" })

const program = Effect.gen(function*() {
  source("Handlers that ran (in order): ['primary', 'fallback']")
  const breaker = yield* CircuitBreaker.make({
    name: "events",
    trip: CircuitBreaker.consecutive(2),
    breakDuration: "60 seconds"
  })
  const guarded = Domain.toLayer([
    Domain.withEventFallback(push, { fallback: enqueue, on: ["NotificationsDown"], breaker })
  ])
  const publish = Mediator.publish([event]).pipe(Effect.provide(guarded))
  yield* publish
  ours(ran.splice(0).join(", "))

  source("after fail_max failures the fallback runs without the primary")
  yield* publish
  ran.splice(0)
  yield* publish
  ours(ran.splice(0).join(", "))

  source("a follow-up that fails runs the fallback too, for an event that was handled: primary, followup-bad, fallback")
  const sent = Domain.eventHandler(NotificationSent, {
    name: "notifications.push",
    handle: ({ userId }) => Effect.as(note("primary"), [Counted.make({ userId })])
  })
  const followed = Domain.toLayer([
    Domain.withEventFallback(sent, { fallback: enqueue }),
    Domain.eventHandler(Counted, {
      name: "counter",
      handle: () => Effect.andThen(note("follow-up"), Effect.fail(new CounterFull()))
    })
  ])
  const error = yield* Effect.flip(Mediator.publish([event]).pipe(Effect.provide(followed)))
  ours(`${ran.splice(0).join(", ")}: ${error.message}`)
})

await Effect.runPromise(program)
