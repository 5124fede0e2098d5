/** What the users service does with each command and query. */
import { Effect, Option } from "effect"
import { Domain } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"
import { ById, Change, Register, toUser, UserAggregate, UserNotFound, users } from "./model.ts"

export const UsersDomain = Domain.toLayer([
  Domain.aggregateHandler(Register, UserAggregate, {
    reply: (state, _events, version, id) => ({ version, user: toUser(state, id) })
  }),
  Domain.aggregateHandler(Change, UserAggregate, {
    reply: (state, _events, version, id) => ({ version, user: toUser(state, id) })
  }),
  Domain.handler(ById, ({ id }) =>
    Effect.gen(function*() {
      const row = yield* StateStore.StateStore.use((store) => store.get(users, id))
      if (Option.isNone(row)) return yield* new UserNotFound({ id })
      return { version: row.value.version, user: row.value.state }
    }))
])
