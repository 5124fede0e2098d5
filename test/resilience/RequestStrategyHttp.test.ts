import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Scope } from "effect"
import { type Attempt, RequestStrategy, type Verdict } from "effect-lifecycle/resilience"
import { FetchHttpClient, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

const verdict: Verdict.Classifier<HttpClientResponse.HttpClientResponse, unknown> = (exit) =>
  exit._tag === "Success" && exit.value.status === 200 ? { _tag: "Accept" } : { _tag: "Reject", retryAfter: undefined }

/** A server on a real socket; every answer but a 200 has a body that never ends. */
const serve = (answer: (attempt: number, response: ServerResponse) => void) =>
  Effect.gen(function*() {
    const closed: Array<string> = []
    const bothClosed = yield* Deferred.make<void>()
    const server = createServer((request, response) => {
      const attempt = String(request.headers["x-attempt"])
      response.on("close", () => {
        closed.push(`${attempt} ${response.writableFinished ? "finished" : "aborted"}`)
        if (closed.length === 2) Deferred.doneUnsafe(bothClosed, Effect.void)
      })
      answer(Number(attempt), response)
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.closeAllConnections()
          server.close(() => resume(Effect.void))
        })
    )
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, bothClosed, closed }
  })

const request = (url: string) => (info: Attempt.Attempt) =>
  HttpClientRequest.setHeader(HttpClientRequest.get(url), "x-attempt", String(info.number))

const answer503Then200 = (attempt: number, response: ServerResponse) => {
  if (attempt !== 1) return void response.writeHead(200).end("fine")
  response.writeHead(503)
  response.write("the beginning of a body without an end")
}

describe("RequestStrategy over HTTP", () => {
  it.live("cancels the body of a rejected response, and leaves the accepted one to be read", () =>
    Effect.gen(function*() {
      const { bothClosed, closed, url } = yield* serve(answer503Then200)
      const client = yield* HttpClient.HttpClient
      const response = yield* RequestStrategy.sequential({ verdict, delay: 0 }).run(
        (info) => client.execute(request(url)(info)),
        { method: "GET", discard: RequestStrategy.discardResponse }
      )
      yield* Deferred.await(bothClosed)
      assert.deepStrictEqual([...closed].sort(), ["1 aborted", "2 finished"])
      assert.strictEqual(yield* response.text, "fine")
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))

  it.live("aborts the request of a rejected attempt with its scope, and the winner's with the caller's", () =>
    Effect.gen(function*() {
      const { bothClosed, closed, url } = yield* serve(answer503Then200)
      const client = HttpClient.withScope(yield* HttpClient.HttpClient)
      const scope = yield* Scope.make()
      const response = yield* RequestStrategy.sequential({ verdict, delay: 0 }).run(
        (info) => client.execute(request(url)(info)),
        { method: "GET" }
      ).pipe(Scope.provide(scope))
      yield* Deferred.await(bothClosed)
      assert.deepStrictEqual([...closed].sort(), ["1 aborted", "2 finished"])
      assert.strictEqual(yield* response.text, "fine")
      assert.strictEqual(scope.state._tag, "Open")
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))

  it.live("aborts the losers of a hedge on the wire before the caller goes on", () =>
    Effect.gen(function*() {
      const { bothClosed, closed, url } = yield* serve((attempt, response) => {
        if (attempt === 2) response.writeHead(200).end("fine")
      })
      const client = yield* HttpClient.HttpClient
      const response = yield* RequestStrategy.hedged({ verdict, delay: "20 millis", attempts: 2 }).run(
        (info) => client.execute(request(url)(info)),
        { method: "GET", discard: RequestStrategy.discardResponse }
      )
      assert.strictEqual(yield* response.text, "fine")
      yield* Deferred.await(bothClosed)
      assert.deepStrictEqual([...closed].sort(), ["1 aborted", "2 finished"])
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))
})
