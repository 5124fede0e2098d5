/** Orders is killed at the writes of a payment: the order ends paid by one charge, or undone with the money given back. */
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Context, Data, Effect, Layer, Redacted, References, Schedule, Stream } from "effect"
import { Authentication, Idempotency, Problems, ServerStack } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { EventStore, IdempotencyStore, MemoryStore } from "effect-lifecycle/store"
import { HttpServer } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { PaymentsDomain } from "../../lessons/service/payments/handlers.ts"
import { PaymentsApi, PaymentsHttp } from "../../lessons/service/payments/http.ts"
import { problems } from "../../lessons/service/shared/problems.ts"
import { UsersClient } from "../../lessons/service/shared/UsersClient.ts"
import { pgTest } from "../postgres.ts"
import { ask, newKey, order } from "../service/harness.ts"
import type { Where } from "./outbox.protocol.ts"
import { type Crash, type Task, writes } from "./payment.protocol.ts"

const childFile = fileURLToPath(new URL("payment.child.ts", import.meta.url))

class NotEnded extends Data.TaggedError("NotEnded")<{ readonly message: string }> {}

/** The orders service, and how its process ended. */
const orders = (task: Task) =>
  Effect.gen(function*() {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const flags = ["--conditions=lifecycle-source", "--disable-warning=ExperimentalWarning"]
        return spawn(process.execPath, [...flags, childFile, JSON.stringify(task)], {
          stdio: ["ignore", "pipe", "inherit"]
        })
      }),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const url = yield* Effect.callback<string>((resume) => {
      child.stdout.once("data", (line: Buffer) => resume(Effect.succeed(String(line).trim())))
      child.once("exit", (code) => resume(Effect.die(new Error(`orders ended with ${code} before it was ready`))))
    })
    const ended = Effect.callback<string>((resume) => {
      const exited = () => resume(Effect.succeed(child.signalCode ?? String(child.exitCode)))
      if (child.signalCode !== null || child.exitCode !== null) exited()
      else child.once("exit", exited)
    })
    return { url, ended }
  })

/** The payments service, in this process, and what has happened there. */
const payments = Effect.gen(function*() {
  const service = ServerStack.serve(HttpApiBuilder.layer(PaymentsApi).pipe(Layer.provide(PaymentsHttp)), {
    service: "payments",
    problems: Problems.stage({ table: problems }),
    idempotency: Idempotency.stage({ required: ["POST /payments"] })
  }).pipe(
    Layer.provide(PaymentsDomain),
    Layer.provide([
      Layer.succeed(UsersClient, { assertActive: () => Effect.void }),
      Layer.effect(Idempotency.IdempotencyRecords, IdempotencyStore.IdempotencyStore),
      Authentication.layerTokens(Redacted.make("token-of-orders:orders-service"))
    ]),
    Layer.provideMerge([MemoryStore.layer, NodeListener.layer({ port: 0, gracePeriod: "100 millis" })]),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "None"))
  )
  const context = yield* Layer.build(Layer.fresh(service))
  const store = Context.get(context, EventStore.EventStore)
  return {
    url: HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address),
    happened: Effect.map(
      Effect.orDie(Stream.runCollect(store.readAll())),
      (events) =>
        events.map(({ meta, stream, type }) => ({ type, id: stream.id, requestId: meta["requestId"] ?? "none" }))
    )
  }
})

/** An order is paid, its process dies, and the next one goes on. */
const story = (crash: Crash, cancel: boolean) =>
  Effect.gen(function*() {
    const { database, path, startupParameters, url, username } = (yield* PgClient.PgClient).config as
      & PgClient.PgClientConfig
      & Where
    const where: Where = {
      database,
      path,
      username,
      startupParameters,
      url: Redacted.isRedacted(url) ? Redacted.value(url) as string : undefined
    }
    const there = yield* payments
    const first = yield* orders({ where, payments: there.url, crash, cancel: false })
    const placed = yield* ask(`${first.url}/orders`, {
      method: "POST",
      json: order("usr_1"),
      headers: { "idempotency-key": newKey() }
    })
    const id: string = placed.body.id
    const pay = { method: "POST", headers: { "x-request-id": requestId } }
    const answer = yield* Effect.exit(ask(`${first.url}/orders/${id}/payment`, pay))
    assert.strictEqual(yield* first.ended, "SIGKILL")
    const before = yield* there.happened

    const next = yield* orders({ where, payments: there.url, crash: undefined, cancel })
    const read = ask(`${next.url}/orders/${id}`)
    const settled = Effect.filterOrFail(
      read,
      ({ body }) => body.status !== "paying",
      ({ text }) => new NotEnded({ message: text })
    )
    // Nobody has to ask again for it to end.
    const { body } = yield* Effect.retry(
      settled,
      Schedule.upTo(Schedule.spaced("100 millis"), { duration: "30 seconds" })
    )
    return { answer, before, body, there, pay: ask(`${next.url}/orders/${id}/payment`, pay) }
  })

const requestId = "paying-it"

const told = ({ when, write }: Crash) => `killed ${when} "${write}"`

const every: ReadonlyArray<Crash> = writes.flatMap((write) => [{ write, when: "before" }, { write, when: "after" }])
/** Before the charge, charged and not recorded, recorded and not confirmed, confirmed and not recorded; or all of them. */
const chosen: ReadonlyArray<Crash> = Number(process.env.LIFECYCLE_FAULT_ROUNDS ?? 3) > 3 ? every : [
  { write: "begin charge", when: "before" },
  { write: "done charge", when: "before" },
  { write: "done charge", when: "after" },
  { write: "done confirm", when: "before" }
]
const charged = (crash: Crash) => every.findIndex((one) => one.write === crash.write && one.when === crash.when) >= 6

describe("A payment whose process is killed", () => {
  it.live(
    "goes on in the next process, and is charged once",
    () =>
      Effect.forEach(chosen, (crash) =>
        Effect.gen(function*() {
          const { answer, before, body, pay, there } = yield* story(crash, false)
          assert.strictEqual(answer._tag, crash.write === "end" && crash.when === "after" ? answer._tag : "Failure")
          assert.lengthOf(before, charged(crash) ? 1 : 0, told(crash))
          // What the first write has not kept nobody has begun.
          const paid = body.status === "placed" ? (yield* pay).body : body
          assert.deepInclude(paid, { status: "paid" }, told(crash))
          assert.deepStrictEqual(yield* there.happened, [
            // Whichever process has asked, it did so for the request that began it.
            { type: "PaymentCharged", id: paid.paymentId, requestId }
          ], told(crash))
          assert.deepStrictEqual((yield* pay).body, paid)
        }).pipe(Effect.scoped, Effect.provide(Layer.fresh(pgTest()))), { concurrency: 4 }),
    { timeout: 200_000 }
  )

  it.live("is undone when somebody wants it so, and the money given back", () =>
    Effect.gen(function*() {
      const crash: Crash = { write: "done charge", when: "before" }
      const { before, body, pay, there } = yield* story(crash, true)
      assert.deepInclude(body, { status: "placed" })
      const id = before[0]?.id ?? "none"
      assert.deepStrictEqual(yield* there.happened, [
        { type: "PaymentCharged", id, requestId },
        { type: "PaymentRefunded", id, requestId }
      ])
      // Another attempt is another payment.
      const again = yield* pay
      assert.deepInclude(again.body, { status: "paid" })
      assert.notStrictEqual(again.body.paymentId, id)
    }).pipe(Effect.scoped, Effect.provide(pgTest())), { timeout: 100_000 })
})
