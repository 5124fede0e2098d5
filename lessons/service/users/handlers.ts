/** What the users service does with each command and query. */
import { Effect, Option } from "effect"
import { Domain, Mediator } from "effect-lifecycle/domain"
import { Inbox, StateStore } from "effect-lifecycle/store"
import { activity, ActivityAggregate, ActivityOf, CountOrder, noActivity, TakeNews } from "./activity.ts"
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
    })),
  // The count and the note that this message was counted, or neither.
  Domain.handler(
    TakeNews,
    ({ messageId, news }) =>
      Inbox.Inbox.use((inbox) =>
        inbox.once({ source: "users < orders", id: messageId }, Mediator.send(CountOrder, news))
      )
        .pipe(Effect.asVoid, Effect.catchTag("InvalidReceived", Effect.die))
  ),
  Domain.aggregateHandler(CountOrder, ActivityAggregate, { reply: () => undefined }),
  Domain.handler(ActivityOf, ({ id }) =>
    Effect.gen(function*() {
      yield* Mediator.query(ById, { id })
      const row = yield* StateStore.StateStore.use((store) => store.get(activity, id))
      return Option.isNone(row) ? noActivity : row.value.state
    }))
])
