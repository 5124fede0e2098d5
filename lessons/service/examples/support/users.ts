/** The users of the page on the request lifecycle, as definitions: two commands, a query, an aggregate. */
import { Effect, Option, Schema } from "effect"
import { Aggregate, Command, Domain, DomainEvent, type Hooks, type Middleware, Query } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"

export const User = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  email: Schema.String,
  active: Schema.Boolean
})

export const Email = Schema.String.check(Schema.isPattern(/^[^@\s]+@[^@\s]+$/, { message: "is not an email address" }))

export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", { id: Schema.String }) {
  override get message(): string {
    return `There is a user "${this.id}" already`
  }
}

export class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {
  override get message(): string {
    return `There is no user "${this.id}"`
  }
}

export const CreateUser = Command.make("users.Create", {
  payload: { id: Schema.String, name: Schema.NonEmptyString, email: Email },
  success: User,
  error: NameTaken,
  aggregateId: (payload) => payload.id
})

export const RenameUser = Command.make("users.Rename", {
  payload: { id: Schema.String, name: Schema.NonEmptyString },
  success: User,
  error: UserNotFound,
  aggregateId: (payload) => payload.id
})

export const UserById = Query.make("users.ById", {
  payload: { id: Schema.String },
  success: User,
  error: UserNotFound
})

const UserCreated = DomainEvent.make("UserCreated", {
  schema: { id: Schema.String, name: Schema.String, email: Schema.String }
})
const UserRenamed = DomainEvent.make("UserRenamed", { schema: { name: Schema.String } })

/** The current users, written by the same transaction as the events. */
export const users = StateStore.collection({ name: "users", schema: User, indexes: ["email"] })

export const UserAggregate = Aggregate.make({
  name: "User",
  state: User,
  initial: { id: "", name: "", email: "", active: false },
  commands: [CreateUser, RenameUser],
  events: [UserCreated, UserRenamed],
  decide: {
    "users.Create": (state, { id, name, email }) =>
      state.active ? Effect.fail(new NameTaken({ id })) : Effect.succeed([UserCreated.make({ id, name, email })]),
    "users.Rename": (state, { id, name }) =>
      state.active ? Effect.succeed([UserRenamed.make({ name })]) : Effect.fail(new UserNotFound({ id }))
  },
  evolve: {
    UserCreated: (_state, { id, name, email }) => ({ id, name, email, active: true }),
    UserRenamed: (state, { name }) => ({ ...state, name })
  },
  projection: { collection: users, state: (state) => state }
})

export const usersHandlers = [
  Domain.aggregateHandler(CreateUser, UserAggregate, { reply: (state) => state }),
  Domain.aggregateHandler(RenameUser, UserAggregate, { reply: (state) => state }),
  Domain.handler(UserById, ({ id }) =>
    Effect.gen(function*() {
      const states = yield* StateStore.StateStore
      const row = yield* states.get(users, id)
      return Option.isSome(row) ? row.value.state : yield* new UserNotFound({ id })
    }))
] as const

/** The handlers, with the hooks and the middleware that an example wants. */
export const layer = (options: {
  readonly hooks?: ReadonlyArray<Hooks.Hooks>
  readonly middleware?: ReadonlyArray<Middleware.Middleware>
} = {}) => Domain.toLayer(usersHandlers, options)
