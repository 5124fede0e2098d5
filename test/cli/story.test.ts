/** `lifecycle story` where several processes run the services behind the same addresses. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Worker } from "../../lessons/service/workers.ts"
import { ask, type Json, NotYet, order } from "../service/harness.ts"
import { folder, freePorts, serve } from "../service/process.ts"
import { lifecycle } from "./command.ts"

const token = { LIFECYCLE_TOKEN: "token123" }

/** What the services report after their answer follows it. */
const soon = <A, E>(effect: Effect.Effect<A, E>, enough: (value: A) => boolean) =>
  effect.pipe(
    Effect.filterOrFail(enough, (value) => new NotYet({ message: JSON.stringify(value) })),
    Effect.retry(Schedule.upTo(Schedule.spaced("200 millis"), { duration: "20 seconds" })),
    Effect.orDie
  )

/** Places an order at one worker and pays it under the id: orders asks payments, payments asks users. */
const pay = Effect.fnUntraced(function*({ addresses }: Worker, id: string) {
  const user = yield* ask(`${addresses.users}/users`, {
    method: "POST",
    json: { name: "Alice", email: `${id}@example.com` }
  })
  const placed = yield* ask(`${addresses.orders}/orders`, {
    method: "POST",
    json: order(user.body.id),
    headers: { "idempotency-key": id }
  })
  const paid = yield* ask(`${addresses.orders}/orders/${placed.body.id}/payment`, {
    method: "POST",
    headers: { "x-request-id": id }
  })
  assert.strictEqual(paid.status, 200, paid.text)
})

/** A server that answers everything alike. */
const always = (status: number, body: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer((_, response) =>
          void response.writeHead(status, { "content-type": "application/problem+json" }).end(body)
        )
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    ),
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  )

describe("lifecycle story, over several workers", () => {
  it.live(
    "finds the chain whichever worker served it, and names the worker that does not answer",
    () =>
      Effect.gen(function*() {
        const port = yield* freePorts
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", String(port), "--workers", "2"] })
        const { users, workers = [] } = yield* serving.ready
        const env = { ...token, PORT: String(port) }
        const story = (id: string, ...more: ReadonlyArray<string>) => lifecycle(["story", id, ...more], { env })
        for (const [index, worker] of workers.entries()) {
          const id = `worker-${index + 1}`
          yield* pay(worker, id)
          yield* soon(story(id, "--json"), ({ out }) => out !== "" && JSON.parse(out).services.length === 3)
          // A door asks whichever worker is free: each time it must be the same.
          for (let times = 0; times < 4; times++) {
            const { code, err, out } = yield* story(id, "--plain")
            assert.deepStrictEqual([code, err], [0, ""])
            assert.match(out, new RegExp(`^Request ${id}: orders, payments, users, `))
          }
          // So it does at the page of any of them.
          for (const { addresses } of workers) {
            const { body } = yield* ask(`${addresses.users}/lifecycle/story?id=${id}`)
            assert.deepStrictEqual([body.services, body.away], [["orders", "payments", "users"], []])
          }
        }

        // One that hangs is named, and the other tells what it knows.
        const [first, second] = workers
        process.kill(second!.pid, "SIGSTOP")
        const hanging = yield* story("worker-1", "--json", "--url", first!.addresses.orders)
        process.kill(second!.pid, "SIGCONT")
        assert.strictEqual(hanging.code, 0, hanging.err)
        const { away, services }: Json = JSON.parse(hanging.out)
        assert.deepStrictEqual(services, ["orders"])
        assert.deepStrictEqual(away, [
          { url: first!.addresses.orders, why: "answered, but orders (worker 2) behind it did not" }
        ])

        // Nobody unknown may ask a worker for what another remembers.
        const { status } = yield* ask(`${users}/lifecycle/story?id=worker-1&scope=service`, { token: "guess" })
        assert.strictEqual(status, 401)
        yield* serving.signal("SIGTERM")
        assert.strictEqual((yield* serving.ended).code, 0)
      }),
    120_000
  )

  it.live(
    "says of each address why it told nothing",
    () =>
      Effect.gen(function*() {
        const unknown = "{\"type\":\"urn:problem:story-unknown\",\"away\":[\"users (worker 2)\"]}"
        const cases: ReadonlyArray<readonly [string, RegExp]> = [
          [yield* always(502, "{}"), / is there, but nobody behind it answers \(502\)\.$/m],
          [yield* always(429, "{}"), / has been asked too often \(429\): try again in a while\.$/m],
          [yield* always(404, "{}"), / answered 404 and tells no stories: mount LifecyclePage there\.$/m],
          [yield* always(200, "{\"parts\":[1]}"), / answered 200 and tells no stories: /m],
          [yield* always(403, "{}"), / does not tell it to you \(403\): /m]
        ]
        const lone = yield* always(404, unknown)
        const urls = [...cases.map(([url]) => url), lone].flatMap((url) => ["--url", url])
        const { code, err, out } = yield* lifecycle(["story", "x", ...urls], { env: token })
        assert.deepStrictEqual([code, out], [1, ""])
        for (const [url, sentence] of cases) {
          assert.match(err.split("\n").find((line) => line.startsWith(url)) ?? "", sentence)
        }
        assert.include(err, `${lone} answered, but users (worker 2) behind it did not.\n`)
        assert.match(err, /No service knows the request "x": /)
      }),
    60_000
  )
})
