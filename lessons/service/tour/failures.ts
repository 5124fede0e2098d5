/** Failures, each provoked for real, and the stage that the diagnosis finds in what came back. */
import { Effect } from "effect"
import type { Probe } from "effect-lifecycle/client"
import { Diagnosis, Stage } from "effect-lifecycle/lifecycle"
import { createServer } from "node:net"
import { alice, ask, askUrl, books, json, place, register, type Sent, Services } from "./services.ts"
import type { Page, Scenario } from "./story.ts"
import { wrap } from "./terminal.ts"

const position = (stage: Diagnosis.Diagnosis["verdict"]) =>
  stage === "undecided" ? stage : `${stage}, stage ${Stage.get(stage).order} of 15`

const say = (page: Page, text: string) => page.say(wrap(text, page.terminal.width, "       "))

const why = ({ ranked }: Diagnosis.Diagnosis) => ranked[0]?.evidence ?? "Nothing in the answer names a stage."

/** No answer came at all. */
const noAnswer = (options: {
  readonly title: string
  readonly answer: Effect.Effect<Probe.ProbeResult, Probe.ProbeError, Services>
  readonly stage: Stage.StageName
  readonly codes: ReadonlyArray<string>
}): Scenario<unknown, Services> => ({
  title: options.title,
  tell: (page) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(options.answer)
      const { cause, code, detail } = error
      const diagnosis = Diagnosis.diagnose({ _tag: "NodeError", code, message: detail, cause })
      say(page, `${position(diagnosis.verdict)}. ${why(diagnosis)}`)
      page.holds("the error", options.codes.includes(code), code, options.codes.join(" or "))
      page.equal("the stage that the clock saw fail", error.stage, options.stage)
      page.equal("the stage that Diagnosis names", diagnosis.verdict, options.stage)
      page.equal("whether it reached the application", diagnosis.reached, false)
    })
})

/** The same answer, had its author not named the stage. */
const withoutStage = (body: unknown): unknown => {
  if (typeof body !== "object" || body === null) return body
  const { stage: _, ...rest } = body as Readonly<Record<string, unknown>>
  return rest
}

/** An answer came, and it is a problem. */
const answered = <E, R>(options: {
  readonly status: number
  readonly title: string
  readonly stage: Stage.StageName
  readonly answer: Effect.Effect<Probe.ProbeResult, E, R>
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Members of the problem that the scenario is about. */
  readonly body?: Readonly<Record<string, unknown>> | undefined
}): Scenario<E, R> => ({
  title: `${options.status} ${options.title}`,
  tell: (page) =>
    Effect.gen(function*() {
      const { body: text, headers, status } = yield* options.answer
      const body = json({ body: text })
      const evidence = { _tag: "Response", status, headers } as const
      const diagnosis = Diagnosis.diagnose({ ...evidence, body: text })
      // A problem of this library names its stage. Other servers' do not, so the second look goes without.
      const blind = Diagnosis.diagnose({ ...evidence, body: withoutStage(body) })
      say(
        page,
        `${position(diagnosis.verdict)}. ` +
          (blind.verdict === diagnosis.verdict
            ? why(blind)
            : `${why(diagnosis)} Without that word it would look like ${blind.verdict}: ${why(blind)}`)
      )

      page.equal("the status", status, options.status)
      page.equal("Content-Type", headers["content-type"], "application/problem+json")
      page.holds(
        "the request id",
        (headers["x-request-id"] ?? "") !== "" && member(body, "requestId") === headers["x-request-id"],
        [headers["x-request-id"], member(body, "requestId")],
        "the same in X-Request-ID and in the problem"
      )
      for (const [name, value] of Object.entries(options.headers ?? {})) page.equal(name, headers[name], value)
      for (const [name, value] of Object.entries(options.body ?? {})) page.equal(name, member(body, name), value)
      page.equal("the stage that Diagnosis names", diagnosis.verdict, options.stage)
      page.equal("whether it reached the application", diagnosis.reached, true)
    })
})

const member = (body: unknown, name: string): unknown =>
  typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>)[name] : undefined

const postUsers = (sent: Sent) => ask("users", "/users", { method: "POST", ...sent })

/** A port that was free a moment ago. */
const refusedUrl = Effect.callback<string>((resume) => {
  const server = createServer()
  server.on("error", (error) => resume(Effect.die(error)))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(`http://127.0.0.1:${port}/`)))
  })
})

const cancelledOrder = Effect.gen(function*() {
  const user = yield* register
  const order = yield* place(user.id, "tour-cancelled")
  yield* ask("orders", `/orders/${order.id}/cancellation`, { method: "POST" })
  return order
})

export const failures = [
  noAnswer({
    title: "unknown host: GET http://name.invalid/",
    answer: Effect.flatMap(Services, ({ unknownHost }) => unknownHost),
    stage: "Dns",
    codes: ["ENOTFOUND", "EAI_AGAIN"]
  }),
  noAnswer({
    title: "refused port: nothing listens there",
    answer: Effect.flatMap(refusedUrl, (url) => askUrl(url)),
    stage: "Connect",
    codes: ["ECONNREFUSED"]
  }),
  answered({
    status: 400,
    title: "POST /orders without an Idempotency-Key",
    stage: "Dependencies",
    answer: ask("orders", "/orders", { method: "POST", body: books("usr_1") })
  }),
  answered({
    status: 401,
    title: "POST /users without a token",
    stage: "Security",
    answer: postUsers({ token: null, body: alice }),
    headers: { "www-authenticate": "Bearer" }
  }),
  answered({
    status: 404,
    title: "GET /nowhere, a path without a route",
    stage: "Router",
    answer: ask("users", "/nowhere")
  }),
  answered({
    status: 404,
    title: "GET /users/usr_nobody, a route without that user",
    stage: "Handler",
    answer: ask("users", "/users/usr_nobody"),
    body: { detail: "There is no user \"usr_nobody\"" }
  }),
  answered({
    status: 405,
    title: "DELETE /users",
    stage: "Router",
    answer: ask("users", "/users", { method: "DELETE" }),
    headers: { allow: "POST, OPTIONS" }
  }),
  answered({
    status: 409,
    title: "POST /orders/{id}/payment of a cancelled order",
    stage: "Handler",
    answer: Effect.flatMap(cancelledOrder, ({ id }) => ask("orders", `/orders/${id}/payment`, { method: "POST" })),
    body: { orderStatus: "cancelled" }
  }),
  answered({
    status: 412,
    title: "PATCH /users/{id} with the If-Match of another version",
    stage: "Dependencies",
    answer: Effect.flatMap(
      register,
      ({ id }) =>
        ask("users", `/users/${id}`, { method: "PATCH", headers: { "if-match": "\"7\"" }, body: { name: "Al" } })
    )
  }),
  answered({
    status: 413,
    title: "POST /users with a body of 2 MiB",
    stage: "Validation",
    answer: postUsers({ body: { ...alice, name: "a".repeat(2 * 1024 * 1024) } }),
    body: { detail: "At most 1048576 bytes are accepted" }
  }),
  answered({
    status: 415,
    title: "POST /users as a form",
    stage: "Validation",
    answer: postUsers({
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "name=Alice&email=alice%40example.com"
    }),
    headers: { accept: "application/json" }
  }),
  answered({
    status: 422,
    title: "POST /users with a wrong e-mail address and without a name",
    stage: "Validation",
    answer: postUsers({ body: { email: "nobody" } }),
    body: {
      errors: [
        { detail: "Missing key", pointer: "/name", in: "body" },
        { detail: "must be an e-mail address", pointer: "/email", in: "body" }
      ]
    }
  }),
  answered({
    status: 428,
    title: "PATCH /users/{id} without an If-Match",
    stage: "Dependencies",
    answer: Effect.flatMap(
      register,
      ({ id }) => ask("users", `/users/${id}`, { method: "PATCH", body: { name: "Al" } })
    )
  }),
  answered({
    status: 500,
    title: "GET /tour/bug, a route that throws",
    stage: "Handler",
    answer: ask("users", "/tour/bug"),
    body: { detail: undefined }
  }),
  answered({
    status: 502,
    title: "POST /orders/{id}/payment of a user that nobody knows",
    stage: "Dependencies",
    answer: Effect.flatMap(
      place("usr_nobody", "tour-stranger"),
      ({ id }) => ask("orders", `/orders/${id}/payment`, { method: "POST" })
    )
  }),
  answered({
    status: 504,
    title: "GET /tour/slow with X-Request-Timeout: 0.1",
    stage: "Middleware",
    answer: ask("users", "/tour/slow", { headers: { "x-request-timeout": "0.1" } })
  })
] satisfies ReadonlyArray<Scenario<unknown, Services>>
