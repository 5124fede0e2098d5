import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Option, References, Tracer } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { inspect } from "node:util"
import { check } from "../../support.ts"
import { logged } from "./exercise.ts"
import { type App, app, RequestId, User } from "./service.ts"

const secrets: Record<string, string> = {
  "the PIN of the body": "4711",
  "the card of the body": "5500-0000-1234",
  "the token of the header": "bearer-abc987",
  "the cookie": "session-zz42",
  "the token of the query": "click-77aa",
  "the key of payments": "sk_live_9f31c2"
}
for (const [name, secret] of Object.entries(secrets)) {
  for (const algorithm of ["md5", "sha1", "sha256"]) {
    secrets[`${name}, hashed`] = createHash(algorithm).update(secret).digest("hex").slice(0, 12)
  }
}
const body = JSON.stringify({ card: "5500-0000-1234", pin: "4711" })
secrets["the body, hashed"] = createHash("sha256").update(body).digest("hex").slice(0, 8)

interface Ask {
  readonly path: string
  readonly user?: string
  readonly app?: App
}

const ask = ({ app: inner = app, path, user }: Ask) =>
  Effect.gen(function*() {
    const lines: Array<{ readonly message: ReadonlyArray<unknown>; readonly annotations: unknown }> = []
    const spans: Array<Tracer.NativeSpan> = []
    const logger = Logger.make((options) => {
      const message = Array.isArray(options.message) ? options.message : [options.message]
      lines.push({ message, annotations: options.fiber.getRef(References.CurrentLogAnnotations) })
    })
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const request = new Request(`http://orders.internal${path}?token=click-77aa`, {
      method: "POST",
      body,
      headers: { authorization: "Bearer bearer-abc987", cookie: "sid=session-zz42", "x-plain": "seen" }
    })
    const exit = yield* logged(inner).pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(request)),
      Effect.provideService(RequestId, "r-1"),
      Effect.provideService(User, Option.fromNullishOr(user)),
      Effect.provideService(Tracer.Tracer, tracer),
      Effect.provide(Logger.layer([logger])),
      Effect.exit
    )
    check(Exit.isSuccess(exit), `POST ${path} must be answered, also where the app fails. Seen: ${inspect(exit)}.`)
    const response = HttpServerResponse.toWeb(exit.value)
    const text = yield* Effect.promise(() => response.text())
    const traced = spans.map((span) => ({ name: span.name, attributes: [...span.attributes], events: span.events }))
    return { lines, status: response.status, text, traced }
  })

const fields = (lines: ReadonlyArray<{ readonly message: ReadonlyArray<unknown> }>, path: string) => {
  check(lines.length === 1, `POST ${path} gets one line in the log. Seen: ${lines.length}.`)
  const [message, data] = lines[0]?.message ?? []
  check(message === "request", `The message of the line is "request". Seen: ${inspect(message)}.`)
  check(typeof data === "object" && data !== null, "The line has an object with its fields.")
  return data as Record<string, unknown>
}

const paths = ["/orders", "/refused", "/broken"]

describe("a: the app's answer is handed over", () => {
  it.effect("201", () =>
    Effect.gen(function*() {
      const { status, text } = yield* ask({ path: "/orders" })
      assert.deepEqual([status, text], [201, "created"], "What the app answers is what the client gets.")
    }))
})

describe("b: no secret in a line, a span or an answer", () => {
  it.effect("30 requests", () =>
    Effect.gen(function*() {
      for (let round = 0; round < 10; round++) {
        for (const path of paths) {
          const { lines, text, traced } = yield* ask({ path, user: "u-1" })
          check(lines.length > 0, `POST ${path}: every request leaves a line in the log. Seen: none.`)
          const places = {
            "the log": inspect(lines, { depth: 9 }),
            "a span": inspect(traced, { depth: 9 }),
            "the answer": text
          }
          for (const [name, secret] of Object.entries(secrets)) {
            for (const [place, written] of Object.entries(places)) {
              check(!written.includes(secret), `POST ${path}: ${name} must not be in ${place}.`)
            }
          }
          check(
            !JSON.stringify(lines).includes("seen"),
            `POST ${path}: headers have no place in the log, not even harmless ones.`
          )
        }
      }
    }))
})

describe("c: one line for each request, with what is needed", () => {
  it.effect("method, path, status, time, id and user", () =>
    Effect.gen(function*() {
      const slow: App = Effect.andThen(TestClock.adjust("120 millis"), app)
      const { lines } = yield* ask({ path: "/orders", user: "u-1", app: slow })
      assert.deepEqual(
        fields(lines, "/orders"),
        { method: "POST", path: "/orders", status: 201, duration_ms: 120, request_id: "r-1", user: "u-1" },
        "These fields and no others are in the line."
      )
    }))

  it.effect("nobody is logged in", () =>
    Effect.gen(function*() {
      const { lines } = yield* ask({ path: "/orders" })
      assert.notProperty(fields(lines, "/orders"), "user", "Where there is no user, there is no field for one.")
    }))
})

describe("d: a failure has its tag, and not its message", () => {
  for (const [path, status, error] of [["/refused", 502, "PaymentFailed"], ["/broken", 500, "defect"]] as const) {
    it.effect(path, () =>
      Effect.gen(function*() {
        const answer = yield* ask({ path, user: "u-1" })
        assert.strictEqual(answer.status, status, `POST ${path} is answered with ${status}.`)
        assert.strictEqual(
          answer.text,
          JSON.stringify({ error }),
          `The answer to POST ${path} says what kind of error it is.`
        )
        assert.deepEqual(
          fields(answer.lines, path),
          { method: "POST", path, status, duration_ms: 0, request_id: "r-1", user: "u-1", error },
          "The line of a failure has the same fields, and the tag of the error."
        )
      }))
  }
})
