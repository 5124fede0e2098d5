/** Events of a command and their handlers: beside each other, with follow-ups, and with failures that change no answer. */
import { Effect, Layer, Schema } from "effect"
import { Aggregate, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"

class MailDown extends Schema.TaggedError<MailDown>()("MailDown", {}) {}

const JoinMeeting = Command.make("meetings.Join", {
  payload: { userId: Schema.String, meetingId: Schema.String },
  success: Schema.Struct({ users: Schema.Int }),
  aggregateId: ({ meetingId }) => meetingId
})
const UserJoined = DomainEvent.make("UserJoined", { schema: { userId: Schema.String } })
const RoomFull = DomainEvent.make("RoomFull", { schema: { users: Schema.Int } })

const Meeting = Aggregate.make({
  name: "Meeting",
  state: Schema.Struct({ users: Schema.Array(Schema.String) }),
  initial: { users: [] },
  commands: [JoinMeeting],
  events: [UserJoined],
  decide: { "meetings.Join": (_state, { userId }) => Effect.succeed([UserJoined.make({ userId })]) },
  evolve: { UserJoined: ({ users }, { userId }) => ({ users: [...users, userId] }) }
})

const handled: Array<string> = []
let running = 0
let most = 0
const busy = Effect.acquireUseRelease(
  Effect.sync(() => {
    most = Math.max(most, ++running)
  }),
  () => Effect.sleep("5 millis"),
  () => Effect.sync(() => void running--)
)

const layer = Domain.toLayer([
  Domain.aggregateHandler(JoinMeeting, Meeting, { reply: ({ users }) => ({ users: users.length }) }),
  Domain.eventHandler(UserJoined, {
    name: "register",
    handle: ({ userId }, { origin }) => {
      handled.push(`user ${userId} joined meeting ${origin?.id}`)
      return Effect.as(busy, origin?.version === 4 ? [RoomFull.make({ users: 4 })] : [])
    }
  }),
  Domain.eventHandler(UserJoined, { name: "analytics", handle: () => busy }),
  Domain.eventHandler(UserJoined, { name: "inventory", handle: () => busy }),
  Domain.eventHandler(UserJoined, { name: "mail", handle: () => Effect.andThen(busy, Effect.fail(new MailDown())) }),
  Domain.eventHandler(RoomFull, {
    name: "door",
    handle: ({ users }, { chain }) => Effect.sync(() => void handled.push(`${chain.join(" > ")}: ${users} users`))
  })
], { events: { concurrency: 3 } }).pipe(Layer.provide(MemoryStore.layer))

const program = Effect.gen(function*() {
  source("There are 4 users in the room; 4 events was handled")
  for (const userId of ["1", "2", "3"]) yield* Mediator.send(JoinMeeting, { userId, meetingId: "1" })
  const { users } = yield* Mediator.send(JoinMeeting, { userId: "4", meetingId: "1" })
  ours(
    `there are ${users} users in the room; ${
      handled.filter((line) => line.startsWith("user")).length
    } events were handled`
  )
  ours(handled[3] ?? "")

  source(
    "events are processed in parallel (max_concurrent_event_handlers=3), and the program sleeps until they have ended"
  )
  ours(`${most} handlers ran at once, ${running} still run`)

  source("the events that a handler of an event leaves behind are emitted as well; a circle runs for ever")
  ours(handled.at(-1) ?? "")

  source("a handler that fails makes the command fail, though its own work is done")
  ours("the mail failed every time, and all four joined")

  source("handlers of a published event: the first error is raised, the others go on unseen")
  const error = yield* Effect.flip(Mediator.publish([UserJoined.make({ userId: "5" })]))
  ours(`${error._tag}: ${error.message}`)
})

await Effect.runPromise(program.pipe(Effect.provide(layer)))
