import { Effect, Schema } from "effect"
import { Aggregate, Command, Domain, DomainEvent } from "effect-lifecycle/domain"

/** A meeting that people join: a command, its event, and events that nobody stores. */
export const Join = Command.make("meetings.Join", {
  payload: { meetingId: Schema.String, userId: Schema.String },
  success: Schema.Struct({ users: Schema.Int }),
  aggregateId: ({ meetingId }) => meetingId
})
export const UserJoined = DomainEvent.make("UserJoined", { schema: { userId: Schema.String } })
export const Greeted = DomainEvent.make("Greeted", { schema: { userId: Schema.String } })
export const Counted = DomainEvent.make("Counted", { schema: { users: Schema.Int } })

export const Meeting = Aggregate.make({
  name: "Meeting",
  state: Schema.Struct({ users: Schema.Array(Schema.String) }),
  initial: { users: [] },
  commands: [Join],
  events: [UserJoined],
  decide: { "meetings.Join": (_state, { userId }) => Effect.succeed([UserJoined.make({ userId })]) },
  evolve: { UserJoined: ({ users }, { userId }) => ({ users: [...users, userId] }) }
})

export const joinHandler = Domain.aggregateHandler(Join, Meeting, { reply: ({ users }) => ({ users: users.length }) })

export const joined = (userId = "ada") => UserJoined.make({ userId })

/** A log and an effect that writes a line to it. */
export const logging = () => {
  const log: Array<string> = []
  return { log, note: (line: string) => Effect.sync(() => void log.push(line)) }
}
