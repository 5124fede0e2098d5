import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline } from "effect-lifecycle/request"
import { Problems, ServerStack } from "effect-lifecycle/server"
import { HttpRouter } from "effect/http"
import { ask, bearer, canary, listener, problems, Routes, tokens } from "../server/harness.ts"
import { recording } from "../server/records.ts"

const reports: Array<Recorder.Report> = []
const tagged = (tag: string) => ({ _tag: tag, message: canary, reason: canary, cause: new Error(canary) })

/** Every tag a room of ours raises, and what it must become. */
const rows = [
  ["Unauthorized", 401, "Security"],
  ["Forbidden", 403, "Security"],
  ["InsufficientScope", 403, "Security"],
  ["HostRefused", 400, "Middleware"],
  ["NotAcceptable", 406, "Validation"],
  ["BodyTooLarge", 413, "Validation"],
  ["DeadlineExceeded", 504, "Middleware"],
  ["ConcurrencyConflict", 409, "Handler"],
  ["VersionMismatch", 412, "Dependencies"],
  ["CommandIdMismatch", 422, "Handler"],
  ["CommandInProgress", 409, "Handler"],
  ["PreconditionRequired", 428, "Dependencies"],
  ["IdempotencyKeyMissing", 400, "Dependencies"],
  ["IdempotencyKeyRunning", 409, "Dependencies"],
  ["IdempotencyKeyMismatch", 422, "Dependencies"],
  ["StoreUnavailable", 503, "Handler"],
  ["CircuitOpen", 503, "Handler"],
  ["BulkheadRejected", 503, "Middleware"],
  ["Throttled", 503, "Handler"],
  ["InvalidQuery", 422, "Validation"],
  ["UserNotFound", 404, "Handler"]
] as const

class Leaky extends Schema.TaggedError<Leaky>()("Leaky", { secret: Schema.String }) {}

const extra = Layer.mergeAll(
  HttpRouter.add("GET", "/late", Effect.never.pipe(Deadline.within("10 millis"))),
  HttpRouter.add("GET", "/leaky", new Leaky({ secret: canary })),
  HttpRouter.add("GET", "/string", Effect.fail(canary)),
  HttpRouter.add("GET", "/die/UserNotFound", Effect.die(tagged("UserNotFound"))),
  HttpRouter.add("GET", "/self-interrupt", Effect.interrupt),
  HttpRouter.add(
    "GET",
    "/throw",
    Effect.sync(() => {
      throw new Error(canary)
    })
  ),
  ...rows.map(([tag]) => HttpRouter.add("GET", `/fail/${tag}`, Effect.fail(tagged(tag))))
)
const live = ServerStack.serve(Layer.merge(Routes, extra), {
  service: "users",
  problems: Problems.stage({ table: problems })
}).pipe(Layer.provide([tokens, recording(reports)]), Layer.provideMerge(listener))

describe("T36 a bug is a bare 500, an expected error its row, an outage 503", () => {
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("answers defects with 500 that say nothing, and reports each once", () =>
      Effect.gen(function*() {
        for (const path of ["/raw/defect", "/throw", "/raw/unmapped", "/leaky", "/string", "/die/UserNotFound"]) {
          reports.length = 0
          const answer = yield* ask(path, { headers: bearer })
          assert.strictEqual(answer.status, 500, path)
          assert.deepStrictEqual(Object.keys(answer.body), [
            "type",
            "title",
            "status",
            "instance",
            "requestId",
            "stage"
          ], path)
          assert.notInclude(answer.text + JSON.stringify(answer.headers), canary, path)
          const defects = reports.filter((report) => report._tag === "DefectCaught")
          assert.strictEqual(defects.length, 1, path)
          assert.strictEqual(defects[0]?.requestId, answer.headers["x-request-id"])
        }
      }))

    it.effect("answers every known tag with its row, and no word of the error beyond it", () =>
      Effect.gen(function*() {
        for (const [tag, status, stage] of rows) {
          reports.length = 0
          const answer = yield* ask(`/fail/${tag}`, { headers: bearer })
          assert.deepStrictEqual(
            [answer.status, answer.body["stage"], answer.body["status"]],
            [status, stage, status],
            tag
          )
          assert.strictEqual(answer.headers["content-type"], "application/problem+json", tag)
          if (tag !== "Unauthorized") assert.notInclude(answer.text, canary, tag)
          assert.isFalse(reports.some((report) => report._tag === "DefectCaught"), tag)
        }
      }))

    it.effect("says when to come back after an outage", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/raw/away", { headers: bearer })
        assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [503, "1"])
      }))

    it.effect("answers a deadline that the handler set itself with 504, and an interruption with 503", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* ask("/late", { headers: bearer })).status, 504)
        assert.strictEqual((yield* ask("/self-interrupt", { headers: bearer })).status, 503)
      }))
  })
})
