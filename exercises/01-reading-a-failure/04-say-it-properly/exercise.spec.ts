import { describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Redacted } from "effect"
import { Authentication, Problems, ServerStack } from "effect-lifecycle/server"
import { HttpEffect, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { NetAddress } from "effect/net"
import { check, expectSuccess } from "../../support.ts"
import { boundary, Conflict, NotFound, Open, type OrderError, problems, Rejected, Throttled } from "./exercise.ts"

const secret = "hunter2"
const message = `no row (postgres://orders:${secret}@db.internal/orders)`

const errors: ReadonlyArray<readonly [OrderError, number]> = [
  [new NotFound({ message }), 404],
  [new Conflict({ message }), 409],
  [new Rejected({ message }), 422],
  [new Throttled({ message, waitMillis: 1500 }), 429],
  [new Open({ message, waitMillis: 20_000 }), 503]
]

interface Answer {
  readonly status: number
  readonly type: string
  readonly retryAfter: string | null
  readonly text: string
}

const read = (response: Response): Promise<Answer> =>
  response.text().then((text) => ({
    status: response.status,
    type: response.headers.get("content-type") ?? "no type",
    retryAfter: response.headers.get("retry-after"),
    text
  }))

type Handler = Effect.Effect<HttpServerResponse.HttpServerResponse, OrderError>

const ask = (handler: Handler, name: string) =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(boundary(handler, "f4a2b3c1"))
    const response = expectSuccess(exit, `For ${name} the boundary must answer.`)
    return yield* Effect.promise(() => read(HttpServerResponse.toWeb(response)))
  })

const mustBeProblem = (answer: Answer, name: string, status: number, id?: string) => {
  check(answer.status === status, `The answer to ${name} must have the status ${status}, not ${answer.status}.`)
  check(
    answer.type.startsWith("application/problem+json"),
    `The answer to ${name} must be application/problem+json, not ${answer.type}.`
  )
  let body: Record<string, unknown>
  try {
    body = JSON.parse(answer.text)
  } catch {
    return check(false, `The answer to ${name} says that it is JSON, but its body is not.`)
  }
  check(typeof body["title"] === "string" && body["title"] !== "", `The problem of ${name} has no title.`)
  check(body["status"] === status, `The problem of ${name} must repeat the status ${status} in its body.`)
  check(
    id === undefined ? typeof body["requestId"] === "string" : body["requestId"] === id,
    `The problem of ${name} does not carry the request's id: nobody will find it in the log.`
  )
}

const mustBeSilent = (answer: Answer, name: string) => {
  check(!answer.text.includes(secret), `The answer to ${name} tells the customer the password of the database.`)
  check(
    !/no row|postgres|\bat .*\.ts|Error:/.test(answer.text),
    `The answer to ${name} tells the customer of the inside: a message, or a stack.`
  )
}

describe("a: each error has its own status, in a problem document with the request's id", () => {
  for (const [error, status] of errors) {
    it.effect(error._tag, () =>
      Effect.gen(function*() {
        const answer = yield* ask(Effect.fail(error), error._tag)
        mustBeProblem(answer, error._tag, status, "f4a2b3c1")
        mustBeSilent(answer, error._tag)
      }))
  }

  it.effect("a success is left as it is", () =>
    Effect.gen(function*() {
      const answer = yield* ask(Effect.succeed(HttpServerResponse.text("paid", { status: 201 })), "a success")
      check(answer.status === 201 && answer.text === "paid", "The answer of a handler that succeeds is not changed.")
    }))
})

const waits: ReadonlyArray<readonly [number, string]> = [[1500, "2"], [20_000, "20"], [20, "1"], [0, "1"]]

describe("b: who may come back is told when", () => {
  it.effect("Throttled and Open", () =>
    Effect.gen(function*() {
      for (const [waitMillis, seconds] of waits) {
        for (const error of [new Throttled({ message, waitMillis }), new Open({ message, waitMillis })]) {
          const { retryAfter } = yield* ask(Effect.fail(error), error._tag)
          check(
            retryAfter === seconds,
            `${error._tag} with ${waitMillis} ms to wait must say "Retry-After: ${seconds}", but it says ${retryAfter}.`
          )
        }
      }
    }))

  it.effect("the others", () =>
    Effect.gen(function*() {
      for (const [error, status] of errors.slice(0, 3)) {
        const answer = yield* ask(Effect.fail(error), error._tag)
        check(answer.status === status, `${error._tag} must be answered with ${status}, not with ${answer.status}.`)
        check(answer.retryAfter === null, `${error._tag} does not heal by waiting: it must not say Retry-After.`)
      }
    }))
})

describe("c: what nobody expected says nothing of the inside, and interruption is left alone", () => {
  it.effect("a defect", () =>
    Effect.gen(function*() {
      for (const defect of [new Error(message), message, { _tag: "Conflict", message }]) {
        const answer = yield* ask(Effect.die(defect), "a defect")
        mustBeProblem(answer, "a defect", 500, "f4a2b3c1")
        mustBeSilent(answer, "a defect")
      }
    }))

  it.effect("an interruption", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(boundary(Effect.interrupt, "f4a2b3c1"))
      check(
        Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause),
        "An interrupted handler must stay interrupted: the boundary made something else of it."
      )
    }))
})

/** The library's server around one handler, without a socket. */
const serve = (handler: Handler) =>
  Effect.gen(function*() {
    let answer: ((request: Request) => Promise<Response>) | undefined
    const server = HttpServer.make({
      serve: (app) => Effect.sync(() => void (answer = HttpEffect.toWebHandler(app))),
      address: NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, 80)
    })
    yield* Layer.build(
      ServerStack.serve(HttpRouter.add("GET", "/order", handler), {
        service: "orders",
        problems: Problems.stage({ table: problems }),
        authentication: Authentication.stage({ exempt: ["/*"] })
      }).pipe(
        Layer.provide(Authentication.layerTokens(Redacted.make("token:alice"))),
        Layer.provide(Layer.succeed(HttpServer.HttpServer, server)),
        Layer.provide(HttpServer.layerServices)
      )
    )
    return yield* Effect.promise(() => answer!(new Request("http://localhost/order")).then(read))
  })

describe("d: the same as a table of the library", () => {
  for (const [error, status] of errors) {
    it.effect(error._tag, () =>
      Effect.gen(function*() {
        const answer = yield* serve(Effect.fail(error))
        mustBeProblem(answer, `${error._tag}, behind the library's server,`, status)
        mustBeSilent(answer, error._tag)
      }))
  }

  it.effect("Retry-After", () =>
    Effect.gen(function*() {
      for (const [waitMillis, seconds] of waits) {
        for (const error of [new Throttled({ message, waitMillis }), new Open({ message, waitMillis })]) {
          const { retryAfter } = yield* serve(Effect.fail(error))
          check(
            retryAfter === seconds,
            `In the table, ${error._tag} with ${waitMillis} ms to wait must say "Retry-After: ${seconds}", not ${retryAfter}.`
          )
        }
      }
    }))
})
