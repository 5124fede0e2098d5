import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Authentication, Conditional, Problems, ServerStack } from "effect-lifecycle/server"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { ask, bearer, Handlers, listener, problems, Raw, tokens, Users } from "./harness.ts"

interface Operation {
  readonly security: ReadonlyArray<unknown>
  readonly responses: {
    readonly [status: string]: {
      readonly description: string
      readonly headers?: object
      readonly content: { readonly [type: string]: { readonly schema: object } }
    }
  }
}
interface Spec {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } }
  readonly components: { readonly schemas: object; readonly securitySchemes: object }
}

const specOf = (options?: Parameters<typeof Problems.openApi<"UserNotFound">>[0]) =>
  OpenApi.fromApi(
    HttpApi.make("users").add(Users).annotate(OpenApi.Transform, Problems.openApi(options))
  ) as unknown as Spec

const statuses = (operation: Operation | undefined) => Object.keys(operation?.responses ?? {}).map(Number)
const problem = { $ref: "#/components/schemas/ServerStackProblem" }

describe("Problems.openApi", () => {
  it("says what the default stages answer, by what an operation takes", () => {
    const { components, paths } = specOf({ exempt: ["GET /users"] })
    assert.deepStrictEqual(statuses(paths["/users/{id}"]?.["get"]), [200, 401, 404, 422, 500, 503, 504])
    assert.deepStrictEqual(statuses(paths["/users"]?.["post"]), [201, 400, 401, 413, 415, 422, 500, 503, 504])
    assert.deepStrictEqual(statuses(paths["/users"]?.["get"]), [200, 422, 500, 503, 504])
    assert.deepStrictEqual(paths["/users"]?.["post"]?.security, [{ bearer: [] }])
    assert.deepStrictEqual(paths["/users"]?.["get"]?.security, [])
    assert.deepStrictEqual(components.securitySchemes, { bearer: { type: "http", scheme: "bearer" } })
    assert.containsAllKeys(components.schemas, ["ServerStackProblem"])
    const refused = paths["/users"]?.["post"]?.responses["401"]
    assert.deepStrictEqual(refused, {
      description: "Unauthorized",
      headers: { "www-authenticate": { schema: { type: "string" } } },
      content: { "application/problem+json": { schema: problem } }
    })
  })

  it("adds the answers of further slots where they stand, and the application's own", () => {
    const { paths } = specOf({
      table: problems,
      answers: {
        QuotaExceeded: true,
        InsufficientScope: ["POST /users"],
        IdempotencyKeyMissing: ["POST /users"],
        PreconditionRequired: ["/users/:id"],
        StoreUnavailable: true,
        UserNotFound: ["PATCH /users/:id"]
      }
    })
    const create = paths["/users"]?.["post"]
    assert.deepStrictEqual(statuses(create), [201, 400, 401, 403, 413, 415, 422, 429, 500, 503, 504])
    assert.deepStrictEqual(statuses(paths["/users/{id}"]?.["get"]), [200, 401, 404, 422, 428, 429, 500, 503, 504])
    assert.include(statuses(paths["/users/{id}"]?.["patch"]), 404)
    // Several reasons for one status are all told.
    assert.strictEqual(create?.responses["400"]?.description, "The request could not be read; Idempotency key missing")
    assert.strictEqual(create?.responses["503"]?.description, "Service unavailable; The server is shutting down")
    assert.deepStrictEqual(create?.responses["503"]?.headers, { "retry-after": { schema: { type: "string" } } })
  })

  it("leaves what endpoints declare beside it, of the same status too, and what else is in the document", () => {
    class Taken extends Schema.TaggedError<Taken>()("Taken", {}) {}
    const table = Problems.table({ Taken: { status: 422, title: "Taken" } })
    const plain = HttpApi.make("users").add(
      HttpApiGroup.make("names").add(
        HttpApiEndpoint.get("one", "/names/:id", { params: { id: Schema.String }, error: table.error(Taken) })
      )
    ).annotate(OpenApi.Title, "Names")
    const before = OpenApi.fromApi(plain) as unknown as Spec
    const copy = structuredClone(before)
    const after = Problems.openApi({ table })({ ...before }) as unknown as Spec & { readonly info: object }
    const own = before.paths["/names/{id}"]?.["get"]?.responses["422"]
    const both = after.paths["/names/{id}"]?.["get"]?.responses["422"]
    assert.deepStrictEqual(both, {
      description: `${own?.description}; The request is not valid`,
      content: {
        "application/problem+json": { schema: { anyOf: [own?.content["application/problem+json"]?.schema, problem] } }
      }
    })
    assert.deepStrictEqual(after.info, { title: "Names", version: "0.0.1" })
    assert.containsAllKeys(after.components.schemas, Object.keys(before.components.schemas))
    assert.deepStrictEqual(before, copy)
    // Once more changes nothing.
    assert.deepStrictEqual(Problems.openApi({ table })({ ...after }) as unknown, after)
  })

  it("refuses a tag that no row has", () => {
    const answers = { Nobody: true } as object
    assert.throws(() => Problems.openApi({ answers }), /Problems\.openApi: no row .* "Nobody"/)
  })

  class Described extends HttpApi.make("users").add(Users)
    .annotate(HttpApi.ParseOptions, Problems.allErrors)
    .annotate(
      OpenApi.Transform,
      Problems.openApi({
        table: problems,
        answers: { PreconditionRequired: ["PATCH /users/:id"], StoreUnavailable: true }
      })
    )
  {}

  const served = ServerStack.serve(
    Layer.merge(HttpApiBuilder.layer(Described, { openapiPath: "/openapi.json" }).pipe(Layer.provide(Handlers)), Raw),
    {
      service: "users",
      authentication: Authentication.stage(),
      problems: Problems.stage({ table: problems }),
      conditional: Conditional.stage({ required: ["PATCH /users/:id"] })
    }
  ).pipe(Layer.provide(tokens), Layer.provideMerge(listener))

  it.live("is what the server serves, and names every answer that it gives", () =>
    Effect.gen(function*() {
      const { paths } = (yield* ask("/openapi.json")).body as unknown as Spec
      const post = (init: Parameters<typeof ask>[1]) => ask("/users", { method: "POST", headers: bearer, ...init })
      const json = { ...bearer, "content-type": "application/json" }
      const answers = [
        ["/users", "post", 401, yield* post({ headers: {}, json: {} })],
        ["/users", "post", 400, yield* post({ headers: json, body: "{" })],
        ["/users", "post", 413, yield* post({ json: { name: "x".repeat(1_100_000) } })],
        ["/users", "post", 415, yield* post({ body: "a" })],
        ["/users", "post", 422, yield* post({ json: {} })],
        ["/users", "get", 422, yield* ask("/users?limit=many", { headers: bearer })],
        ["/users/{id}", "get", 404, yield* ask("/users/u-9", { headers: bearer })],
        ["/users/{id}", "get", 503, yield* ask("/users/away", { headers: bearer })],
        ["/users/{id}", "get", 504, yield* ask("/users/u-1", { headers: { ...bearer, "x-request-timeout": "0.001" } })],
        [
          "/users/{id}",
          "patch",
          428,
          yield* ask("/users/u-1", { method: "PATCH", headers: bearer, json: { name: "a" } })
        ]
      ] as const
      for (const [path, method, status, answer] of answers) {
        assert.strictEqual(answer.status, status)
        const said = paths[path]?.[method]?.responses[status]
        assert.containsAllKeys(said?.content, ["application/problem+json"], `${method} ${path} ${status}`)
        for (const name of Object.keys(said?.headers ?? {})) assert.isDefined(answer.headers[name], `${path} ${name}`)
        assert.containsAllKeys(answer.body, ["type", "title", "status", "instance", "requestId", "stage"])
      }
    }).pipe(Effect.provide(served)))
})
