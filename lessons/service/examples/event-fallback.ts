/** An event handler with a second one behind it, and what follows from the event. */
import { Effect, Schema } from "effect"
import { Fallback } from "effect-lifecycle/resilience"
import { ours, source } from "./support/say.ts"

class NotificationsDown extends Schema.TaggedError<NotificationsDown>()("NotificationsDown", {}) {}
class CounterFull extends Schema.TaggedError<CounterFull>()("CounterFull", {}) {}

interface NotificationSent {
  readonly userId: string
  readonly message: string
}

const ran: Array<string> = []
const note = (text: string) => Effect.sync(() => void ran.push(text))

const push: Fallback.Handler<NotificationSent, string, NotificationsDown> = {
  name: "notifications.push",
  handle: () => Effect.andThen(note("primary"), new NotificationsDown())
}

const enqueue = {
  name: "notifications.queue",
  handle: () => Effect.as(note("fallback"), "queued")
}

const event: NotificationSent = { userId: "user_1", message: "Hello" }

const program = Effect.gen(function*() {
  source("Handlers that ran (in order): ['primary', 'fallback']")
  const outcome = yield* Fallback.event({ primary: push, fallback: enqueue })(event)
  ours(`${ran.splice(0).join(", ")}: ${outcome}`)

  source("a follow-up that fails runs the fallback too, for an event that was handled: primary, followup-bad, fallback")
  const followed = Fallback.event({
    primary: { name: "notifications.push", handle: () => Effect.as(note("primary"), "sent") },
    fallback: enqueue,
    followUp: () => Effect.andThen(note("follow-up"), new CounterFull())
  })
  const error = yield* Effect.flip(followed(event))
  ours(`${ran.splice(0).join(", ")}: ${error._tag}`)
})

await Effect.runPromise(program)
