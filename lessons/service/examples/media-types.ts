/** The media type of a body, its JSON and its fields are three questions with three answers. */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { ours, source } from "./support/say.ts"
import { ask, serve } from "./support/serve.ts"
import { Email } from "./support/users.ts"

const NewUser = Schema.Struct({ name: Schema.NonEmptyString, email: Email })

const routes = HttpRouter.add(
  "POST",
  "/users",
  Effect.map(
    HttpServerRequest.schemaBodyJson(NewUser, { errors: "all" }),
    (user) => HttpServerResponse.jsonUnsafe(user, { status: 201 })
  )
)

const post = (type: string, body: string) => ask("/users", { method: "POST", headers: { "content-type": type }, body })

const program = Effect.gen(function*() {
  source("a form sent to a JSON endpoint: 422, because the form is parsed as JSON and fails")
  ours(`a form: ${(yield* post("application/x-www-form-urlencoded", "email=a%40example.com")).status}`)

  source("JSON that is broken: 422")
  ours(`broken JSON: ${(yield* post("application/json", "{\"name\"")).status}`)

  source("fields that are wrong: 422 with every failed field")
  const wrong = yield* post("application/json", "{\"name\":\"\",\"email\":\"nowhere\"}")
  const { errors } = JSON.parse(wrong.body) as { readonly errors: ReadonlyArray<{ readonly pointer: string }> }
  ours(`wrong fields: ${wrong.status} ${errors.map((error) => error.pointer).join(" ")}`)

  source("a path that exists with another method: 405 with Allow")
  const deleted = yield* ask("/users", { method: "DELETE" })
  ours(`DELETE: ${deleted.status}, Allow: ${deleted.headers.get("allow")}`)
})

await Effect.runPromise(program.pipe(Effect.provide(serve(routes, { service: "users" }))))
