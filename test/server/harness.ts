/** A small service behind the whole stack, on a real socket, and what it takes to ask it. */
import { Effect, Layer, Redacted, Schema, Stream } from "effect"
import { Authentication, Conditional, Exchange, Problems, ServerStack, ServerTiming } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiSchema
} from "effect/http-api"

export class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {}
export class VersionMismatch extends Schema.TaggedError<VersionMismatch>()("VersionMismatch", {
  expected: Schema.Finite,
  actual: Schema.Finite
}) {}
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  operation: Schema.String,
  reason: Schema.String
}) {}
export class Unmapped extends Schema.TaggedError<Unmapped>()("Unmapped", { secret: Schema.String }) {}

export const canary = "canary-5f1d"

export const problems = Problems.table({
  UserNotFound: {
    status: 404,
    title: "User not found",
    detail: (error: UserNotFound) => `There is no user ${error.id}`,
    extensions: (error: UserNotFound) => ({ id: error.id })
  }
})

const Email = Schema.String.check(Schema.isPattern(/^[^@\s]+@[^@\s]+$/))
export const NewUser = Schema.Struct({ name: Schema.NonEmptyString, email: Email })
export const User = Schema.Struct({ id: Schema.String, ...NewUser.fields })

export const Users = HttpApiGroup.make("users").add(
  HttpApiEndpoint.get("byId", "/users/:id", {
    params: { id: Schema.String },
    success: User,
    error: problems.error(UserNotFound)
  }),
  HttpApiEndpoint.get("list", "/users", {
    query: { limit: Schema.optional(Schema.FiniteFromString), after: Schema.optional(Schema.FiniteFromString) },
    success: Schema.Array(User)
  }),
  HttpApiEndpoint.post("create", "/users", {
    payload: NewUser,
    success: User.pipe(HttpApiSchema.status(201))
  }),
  HttpApiEndpoint.patch("rename", "/users/:id", {
    params: { id: Schema.String },
    payload: Schema.Struct({ name: Schema.NonEmptyString }),
    success: User,
    error: problems.error(VersionMismatch)
  })
)
export class Api extends HttpApi.make("users").add(Users).annotate(HttpApi.ParseOptions, Problems.allErrors) {}

const alice = { id: "u-1", name: "Alice", email: "alice@example.com" }

const find = Effect.fnUntraced(function*(id: string) {
  if (id === "away") return yield* new StoreUnavailable({ operation: "read", reason: canary })
  return id === "u-1" ? alice : yield* new UserNotFound({ id })
})

export const Handlers = HttpApiBuilder.group(Api, "users", (handlers) =>
  handlers.handleAll({
    byId: ({ params }) =>
      find(params.id).pipe(
        Effect.tap(() => Conditional.setVersion(3)),
        Problems.escalateTags("StoreUnavailable"),
        ServerTiming.measure("Handler", "users.byId")
      ),
    list: () => Effect.succeed([alice]),
    create: ({ payload }) =>
      Exchange.setHeader("location", "/users/u-2").pipe(
        Effect.andThen(Conditional.setVersion(1)),
        Effect.as({ id: "u-2", ...payload })
      ),
    rename: ({ payload }) =>
      Effect.flatMap(Conditional.IfMatch, (expected) =>
        expected._tag === "Some" && expected.value !== 3
          ? Effect.fail(new VersionMismatch({ expected: expected.value, actual: 3 }))
          : Effect.succeed({ ...alice, name: payload.name }))
  }))

export const Raw = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/raw/whoami",
    Effect.map(Authentication.CurrentUser, (user) => HttpServerResponse.text(user.id))
  ),
  HttpRouter.add("GET", "/raw/defect", Effect.die(new Error(canary))),
  HttpRouter.add("GET", "/raw/unmapped", Effect.fail(new Unmapped({ secret: canary }))),
  HttpRouter.add("GET", "/raw/missing", Effect.fail(new UserNotFound({ id: "u-9" }))),
  HttpRouter.add("GET", "/raw/away", Effect.fail(new StoreUnavailable({ operation: "read", reason: canary }))),
  HttpRouter.add(
    "POST",
    "/raw/users",
    Effect.map(
      HttpServerRequest.schemaBodyJson(NewUser, { errors: "all" }),
      (user) => HttpServerResponse.jsonUnsafe(user, { status: 201 })
    )
  ),
  HttpRouter.add(
    "GET",
    "/raw/stream",
    HttpServerResponse.stream(Stream.make("a", "b", "c").pipe(Stream.encodeText), { contentType: "text/plain" })
  ),
  HttpRouter.add("GET", "/raw/slow", Effect.as(Effect.sleep("30 seconds"), HttpServerResponse.text("late"))),
  HttpRouter.add("DELETE", "/raw/files/*", HttpServerResponse.empty()),
  HttpRouter.add("GET", "/docs", HttpServerResponse.html("<p>docs</p>"))
)

export const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(Layer.provide(Handlers)),
  Raw
)

export const tokens = Authentication.layerTokens(Redacted.make("token123:alice,token456:bob"))

export const listener = NodeListener.layer({ port: 0, host: "127.0.0.1", gracePeriod: "2 seconds" })

export const stack = ServerStack.serve(Routes, {
  service: "users",
  problems: Problems.stage({ table: problems }),
  conditional: Conditional.stage({ required: ["PATCH /users/:id"] })
}).pipe(Layer.provide(tokens))

export const live = Layer.provideMerge(stack, listener)

export const bearer = { authorization: "Bearer token123" }

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly text: string
  readonly body: Body
}

/** What tests look at in a JSON answer. */
export interface Body {
  readonly errors?: ReadonlyArray<{ readonly detail: string; readonly pointer: string; readonly in?: string }>
  readonly paths?: {
    readonly [path: string]: {
      readonly get: { readonly responses: { readonly [status: string]: { readonly content: object } } }
    }
  }
  readonly [member: string]: unknown
}

/** Asks with plain `fetch`, so that nothing of our own is on the client's side. */
export const ask = (
  path: string,
  init: RequestInit & { readonly json?: unknown } = {}
): Effect.Effect<Answer, never, HttpServer.HttpServer> =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    const { json, ...rest } = init
    const response = yield* Effect.promise((signal) =>
      fetch(HttpServer.formatAddress(address) + path, {
        signal,
        ...rest,
        ...(json === undefined
          ? {}
          : { body: JSON.stringify(json), headers: { ...rest.headers as object, "content-type": "application/json" } })
      })
    )
    const text = yield* Effect.promise(() => response.text())
    const headers = Object.fromEntries(response.headers)
    const isJson = /json/.test(headers["content-type"] ?? "")
    return { status: response.status, headers, text, body: isJson && text !== "" ? JSON.parse(text) : {} }
  })
