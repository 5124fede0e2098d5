/** Who may order: the definitions of the users service, with no word about HTTP or SQL. */
import { Effect, Schema } from "effect"
import { Aggregate, Command, DomainEvent, Query } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"

export const UserId = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,64}$/))
export const Name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200))
export const Email = Schema.String.check(
  Schema.isPattern(/^[^\s@]+@[^\s@]+\.[^\s@]+$/, { message: "must be an e-mail address" }),
  Schema.isMaxLength(320)
)

export const User = Schema.Struct({ id: UserId, name: Name, email: Email, active: Schema.Boolean })
export type User = typeof User.Type

/** A user and the version of its stream, which is what an `ETag` shows. */
export const VersionedUser = Schema.Struct({ version: Schema.Int, user: User })

export class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {
  override get message(): string {
    return `There is no user "${this.id}"`
  }
}

export const Register = Command.make("users.Register", {
  description: "Adds a user",
  payload: { id: UserId, name: Name, email: Email },
  success: VersionedUser,
  aggregateId: (payload) => payload.id
})

export const Change = Command.make("users.Change", {
  description: "Changes a user's name or e-mail address",
  payload: { id: UserId, name: Schema.optionalKey(Name), email: Schema.optionalKey(Email) },
  success: VersionedUser,
  error: UserNotFound,
  aggregateId: (payload) => payload.id
})

export const ById = Query.make("users.ById", {
  description: "One user",
  payload: { id: UserId },
  success: VersionedUser,
  error: UserNotFound
})

const UserRegistered = DomainEvent.make("UserRegistered", { schema: { name: Name, email: Email } })
const UserChanged = DomainEvent.make("UserChanged", {
  schema: { name: Schema.optionalKey(Name), email: Schema.optionalKey(Email) }
})

/** The current users, as queries read them. */
export const users = StateStore.collection({ name: "users", schema: User, indexes: ["email"] })

const State = Schema.Struct({
  exists: Schema.Boolean,
  name: Schema.String,
  email: Schema.String,
  active: Schema.Boolean
})

export const toUser = ({ active, email, name }: typeof State.Type, id: string): User => ({ id, name, email, active })

export const UserAggregate = Aggregate.make({
  name: "User",
  state: State,
  initial: { exists: false, name: "", email: "", active: false },
  commands: [Register, Change],
  events: [UserRegistered, UserChanged],
  decide: {
    "users.Register": (state, { name, email }) =>
      Effect.succeed(state.exists ? [] : [UserRegistered.make({ name, email })]),
    "users.Change": (state, { id, name, email }) => {
      if (!state.exists) return Effect.fail(new UserNotFound({ id }))
      const change = {
        ...(name === undefined || name === state.name ? {} : { name }),
        ...(email === undefined || email === state.email ? {} : { email })
      }
      return Effect.succeed(Object.keys(change).length === 0 ? [] : [UserChanged.make(change)])
    }
  },
  evolve: {
    UserRegistered: (_state, { name, email }) => ({ exists: true, name, email, active: true }),
    UserChanged: (state, { name = state.name, email = state.email }) => ({ ...state, name, email })
  },
  projection: {
    collection: users,
    state: (state, id) => state.exists ? toUser(state, id) : undefined
  }
})
