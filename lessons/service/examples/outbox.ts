/** An event that goes out after the commit: kept with what it tells of, sent again until it is taken, received once. */
import { Effect, Layer, Schema } from "effect"
import { Aggregate, Command, Domain, DomainEvent, type Hooks, Mediator } from "effect-lifecycle/domain"
import { Inbox, MemoryStore, Outbox } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"

const JoinMeeting = Command.make("meetings.Join", {
  payload: { userId: Schema.String, meetingId: Schema.String },
  success: Schema.Struct({ users: Schema.Int }),
  aggregateId: ({ meetingId }) => meetingId
})
const UserJoined = DomainEvent.make("UserJoined", { schema: { userId: Schema.String } })
const Meeting = Aggregate.make({
  name: "Meeting",
  state: Schema.Struct({ users: Schema.Int }),
  initial: { users: 0 },
  commands: [JoinMeeting],
  events: [UserJoined],
  decide: { "meetings.Join": (_state, { userId }) => Effect.succeed([UserJoined.make({ userId })]) },
  evolve: { UserJoined: ({ users }) => ({ users: users + 1 }) }
})

/** Keeps a message for each event, in the transaction that stores the event. */
const keep: Hooks.Hooks<Outbox.Outbox> = {
  beforeStore: (command, events) =>
    Effect.gen(function*() {
      const outbox = yield* Outbox.Outbox
      const messages = events.map((event) => ({
        topic: "user_notification_events",
        key: command.aggregate?.id,
        payload: event
      }))
      yield* Effect.catchTag(outbox.enqueueAll(messages), "InvalidMessage", Effect.die)
    })
}

const layer = Domain.toLayer(
  [Domain.aggregateHandler(JoinMeeting, Meeting, { reply: (state) => state })],
  { hooks: [keep] }
).pipe(Layer.provideMerge(MemoryStore.layer))

const join = (userId: string) => Mediator.send(JoinMeeting, { userId, meetingId: "1" })

const program = Effect.gen(function*() {
  const outbox = yield* Outbox.Outbox
  const inbox = yield* Inbox.Inbox
  const delivered: Array<string> = []
  const received: Array<string> = []

  source("the handler adds its events to the outbox and commits; a command that fails leaves none behind")
  yield* join("1")
  yield* Effect.exit(Domain.transaction(Effect.andThen(join("2"), Effect.fail("the plug was pulled"))))
  ours(`${(yield* outbox.status()).pending} message for two commands, one of them rolled back`)

  source("a producer sends what is NEW, and what failed up to 5 times, without a pause; the newer overtakes it")
  yield* join("3")
  const receive = (message: Outbox.Message) =>
    inbox.once(
      { source: "mail < meetings", id: message.id },
      Effect.sync(() => {
        received.push(String((message.payload as { readonly userId: string }).userId))
      })
    )
  let broken = true
  yield* Effect.forkChild(outbox.run({
    topics: ["user_notification_events"],
    publish: (message) =>
      Effect.gen(function*() {
        delivered.push(`${(message.payload as { readonly userId: string }).userId}, attempt ${message.attempt}`)
        yield* receive(message)
        // The first answer is lost on its way back.
        if (broken) {
          broken = false
          return yield* Effect.fail("no answer")
        }
      })
  }))
  while ((yield* outbox.status()).pending > 0) yield* Effect.sleep("20 millis")
  ours(`delivered: user ${delivered.join("; user ")}`)

  source("who reads the topic gets an event twice when the producer dies at the wrong moment; there is no inbox")
  ours(`received once each, in order: users ${received.join(", ")}`)

  source("an event that has failed 5 times is never selected again, and has no status that says so")
  yield* Effect.forkChild(outbox.run({ topics: ["poison"], attempts: 1, publish: () => Effect.fail("unreadable") }))
  yield* outbox.enqueue({ id: "m-1", topic: "poison", key: "a", payload: {} })
  let [dead] = yield* outbox.deadLetters()
  while (dead === undefined) {
    yield* Effect.sleep("20 millis")
    dead = (yield* outbox.deadLetters())[0]
  }
  const gone = yield* outbox.discard("m-1")
  ours(`dead letter ${dead.id} of key ${dead.key}: ${dead.reason}; discarded: ${gone}`)
})

await Effect.runPromise(program.pipe(Effect.provide(layer)))
