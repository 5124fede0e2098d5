/** The users service over HTTP: routes that only translate to commands and queries. */
import { Effect, Option, Schema } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { Authentication, Conditional, Exchange, Problems } from "effect-lifecycle/server"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { asCaller, newId } from "../shared/Caller.ts"
import { OrderNews } from "../shared/OrderNews.ts"
import { described, problems } from "../shared/problems.ts"
import { Activity, ActivityOf, TakeNews } from "./activity.ts"
import { ById, Change, Email, Name, Register, User, UserId, UserNotFound } from "./model.ts"

const changes = ["POST /users", "PATCH /users/:id"]

export class UsersApi extends HttpApi.make("users").add(
  HttpApiGroup.make("users").add(
    HttpApiEndpoint.post("register", "/users", {
      payload: Schema.Struct({ name: Name, email: Email }),
      success: User.pipe(HttpApiSchema.status(201))
    }),
    HttpApiEndpoint.get("byId", "/users/:id", {
      params: { id: UserId },
      success: User,
      error: problems.error(UserNotFound)
    }),
    HttpApiEndpoint.patch("change", "/users/:id", {
      params: { id: UserId },
      payload: Schema.Struct({ name: Schema.optionalKey(Name), email: Schema.optionalKey(Email) }),
      success: User,
      error: problems.error(UserNotFound)
    }),
    HttpApiEndpoint.get("activity", "/users/:id/activity", {
      params: { id: UserId },
      success: Activity,
      error: problems.error(UserNotFound)
    }),
    HttpApiEndpoint.post("takeNews", "/inbox/orders", {
      headers: { "idempotency-key": Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,255}$/)) },
      payload: OrderNews,
      success: HttpApiSchema.NoContent
    })
  )
).annotate(HttpApi.ParseOptions, Problems.allErrors).annotate(OpenApi.Title, "Users").annotate(
  OpenApi.Transform,
  described(changes, { PreconditionRequired: ["PATCH /users/:id"], VersionMismatch: ["PATCH /users/:id"] })
) {}

const answer = ({ user, version }: { readonly user: User; readonly version: number }) =>
  Effect.as(Conditional.setVersion(version), user)

export const UsersHttp = HttpApiBuilder.group(UsersApi, "users", (handlers) =>
  handlers.handleAll({
    register: ({ payload }) =>
      Effect.gen(function*() {
        const id = yield* newId("usr")
        yield* Exchange.setHeader("location", `/users/${id}`)
        return yield* Effect.flatMap(Mediator.send(Register, { id, ...payload }), answer)
      }).pipe(asCaller),
    byId: ({ params }) => Mediator.query(ById, params).pipe(Effect.flatMap(answer), asCaller),
    change: ({ params, payload }) =>
      Effect.gen(function*() {
        const expectedVersion = Option.getOrUndefined(yield* Conditional.IfMatch)
        return yield* Effect.flatMap(Mediator.send(Change, { ...params, ...payload }, { expectedVersion }), answer)
      }).pipe(asCaller),
    activity: ({ params }) => asCaller(Mediator.query(ActivityOf, params)),
    takeNews: ({ headers, payload }) =>
      Effect.gen(function*() {
        const { id } = yield* Authentication.CurrentUser
        if (id !== "orders-service") return yield* new Authentication.Forbidden()
        yield* Mediator.send(TakeNews, { messageId: headers["idempotency-key"], news: payload })
      }).pipe(asCaller)
  }))
