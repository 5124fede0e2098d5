import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber, Layer } from "effect"
import { Database } from "effect-lifecycle/testing"
import { once } from "node:events"
import { createServer } from "node:http"
import { type AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import { openDoors } from "../../lessons/service/gateway.ts"
import { launch } from "../../lessons/service/launch.ts"
import { address } from "../postgres.ts"
import { eventually, type Json, NotYet, order } from "../service/harness.ts"

const secret = "canary-9d1e55"
/** Alice's own token: what lets her in may not be told either. */
const token = `${secret}-token`

/** The PostgreSQL of the test run. */
const server = Layer.effect(
  Database.Server,
  Effect.map(address, (address) => ({ address, description: "the server of the test run", embedded: undefined }))
)

/** A collector that keeps, by the signal, what it is sent. */
const collector = Effect.acquireRelease(
  Effect.promise(async () => {
    const received: Record<string, string> = {}
    const server = createServer(async (request, response) => {
      const chunks: Array<Buffer> = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const signal = request.url ?? ""
      received[signal] = `${received[signal] ?? ""}${Buffer.concat(chunks).toString()}\n`
      response.end("{}")
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    return { received, server, url: `http://127.0.0.1:${port}` }
  }),
  ({ server }) => Effect.sync(() => (server.close(), server.closeAllConnections()))
)

interface Told {
  readonly status: number
  readonly headers: string
  readonly text: string
}

const ask = (url: string, init: RequestInit = {}) =>
  Effect.promise(async (): Promise<Told> => {
    const response = await fetch(url, init)
    return { status: response.status, headers: JSON.stringify([...response.headers]), text: await response.text() }
  })

/** Reads a stream of events until all of `wanted` is found in it: requests come as they end, what is stored now and then. */
const listen = (url: string, wanted: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    let text = ""
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (wanted.every((each) => text.includes(each))) break
    }
    return text
  }).pipe(Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => Effect.succeed("nothing came") }))

const carried = {
  cookie: `session=${secret}`,
  referer: `https://${secret}.test/?${secret}`,
  "user-agent": secret,
  "accept-language": secret,
  "x-anything": secret,
  "x-api-key": secret,
  "x-forwarded-for": secret,
  "x-forwarded-host": `${secret}.test`,
  "x-request-timeout": secret,
  "x-request-priority": secret,
  traceparent: `00-${secret}`,
  tracestate: `vendor=${secret}`,
  baggage: `who=${secret}`
}
const json = { "content-type": "application/json" }
const known = { ...carried, authorization: `Bearer ${token}` }

/** Everything that a caller can send, at all three services and through the gateway; and where it may not turn up. */
const carry = Effect.fnUntraced(function*(urls: Readonly<Record<"users" | "orders" | "payments" | "gateway", string>>) {
  const { gateway, orders, payments, users } = urls
  const post = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    ask(url, { method: "POST", headers: { ...known, ...json, ...headers }, body: JSON.stringify(body) })

  const user: Json = JSON.parse(
    (yield* post(`${gateway}/api/users?${secret}`, { name: secret, email: `${secret}@example.com` })).text
  )
  const change = { method: "PATCH", headers: { ...known, ...json, "if-match": "\"1\"" } }
  yield* ask(`${users}/users/${user.id}`, { ...change, body: JSON.stringify({ name: `${secret} again` }) })
  const ordered = { ...order(user.id), lines: [{ sku: secret, quantity: 1, price: 5 }] }
  const placed: Json = JSON.parse(
    (yield* post(`${orders}/orders?token=${secret}`, ordered, { "idempotency-key": secret })).text
  )
  const paid = yield* post(`${orders}/orders/${placed.id}/payment`, undefined, { "x-request-id": "t34-paid" })
  assert.strictEqual(paid.status, 200, paid.text)
  assert.include(
    yield* Effect.map(ask(`${orders}/orders/${placed.id}`, { headers: known }), ({ text }) => text),
    secret
  )

  const large = { method: "POST", headers: { ...known, ...json }, body: secret.repeat(200_000) }
  return yield* Effect.all([
    ask(`${users}/users/usr_1?${secret}=${secret}`, { headers: known }),
    ask(`${users}/users/usr_1`, { headers: { ...carried, authorization: `Bearer ${secret}` } }),
    ask(`${users}/users/usr_1`, { headers: { ...carried, authorization: secret } }),
    ask(`${users}/users/usr_1`, { headers: { ...known, "x-request-id": `${secret} with a space` } }),
    ask(`${users}/nowhere?${secret}`, { headers: known }),
    ask(`${users}/users?${secret}`, { method: "DELETE", headers: known }),
    post(`${users}/users`, { name: { secret }, email: secret, [secret]: secret }),
    ask(`${users}/users`, { method: "POST", headers: { ...known, ...json }, body: `{"name": "${secret}` }),
    ask(`${users}/users`, { method: "POST", headers: known, body: new URLSearchParams({ secret }) }),
    ask(`${users}/users`, {
      method: "POST",
      headers: { ...known, ...json, "content-encoding": "gzip" },
      body: gzipSync(secret)
    }),
    ask(`${users}/users`, large),
    ask(`${users}/users/${user.id}`, { ...change, body: JSON.stringify({ name: secret }) }),
    ask(`${users}/users/${user.id}`, { ...change, headers: { ...change.headers, "if-match": secret }, body: "{}" }),
    ask(`${users}/users/${user.id}`, { method: "PATCH", headers: { ...known, ...json }, body: `{"name":"${secret}"}` }),
    post(`${orders}/orders`, ordered),
    post(`${orders}/orders`, { ...ordered, lines: [{ sku: `${secret}!`, quantity: 2, price: 1 }] }, {
      "idempotency-key": secret
    }),
    ask(`${orders}/orders?userId=${secret}&status=${secret}&limit=${secret}&cursor=${secret}`, { headers: known }),
    post(`${payments}/payments`, { orderId: secret, payer: secret, amount: secret }, { "idempotency-key": secret }),
    ask(`${gateway}/nowhere?${secret}`, { headers: known }),
    ask(`${gateway}/api/users/usr_1?${secret}`, { headers: known }),
    ask(`${gateway}/users`, large),
    ask(`${gateway}/lifecycle/story?id=nobody&token=${secret}`, { headers: { ...carried, authorization: secret } })
  ], { concurrency: 1 })
})

describe("T34 a secret stays where it was sent", () => {
  it.live(
    "is in no log line, span, metric, problem, page or story of the running example",
    () =>
      Effect.gen(function*() {
        const { received, url } = yield* collector
        const environment = ConfigProvider.fromEnv({
          env: {
            LIFECYCLE_TOKENS: `${token}:alice`,
            OTEL_EXPORTER_OTLP_ENDPOINT: url,
            OTEL_EXPORTER_OTLP_PROTOCOL: "http/json"
          }
        })
        const lines: Array<string> = []
        const log = (line: string) => void lines.push(line)
        yield* Effect.gen(function*() {
          const services = yield* launch({ port: 0, log })
          const { users, orders, payments } = services
          const doors = yield* openDoors({
            targets: { users: [users], orders: [orders], payments: [payments] },
            port: 0,
            log
          })
          const streams = yield* Effect.forkChild(
            Effect.forEach(
              [users, orders, payments, doors.http],
              (url) => listen(`${url}/lifecycle/events?token=${secret}`, ["t34-last", "OrderPlaced"]),
              { concurrency: "unbounded" }
            ),
            { startImmediately: true }
          )

          const refused = yield* carry({ users, orders, payments, gateway: doors.http })
          for (const { headers, status, text } of refused) {
            assert.isAtLeast(status, 400, text)
            assert.isBelow(status, 500, text)
            assert.notInclude(headers, secret)
            assert.notInclude(text, secret)
          }
          const statuses = [...new Set(refused.map(({ status }) => status))]
          assert.deepStrictEqual(statuses.toSorted(), [400, 401, 404, 405, 412, 413, 415, 422, 428])

          for (const url of [users, orders, payments]) {
            yield* ask(`${url}/nowhere`, { headers: { ...known, "x-request-id": "t34-last" } })
          }
          const told = yield* Effect.all({
            metrics: Effect.forEach([users, orders, payments], (url) => ask(`${url}/metrics?${secret}`)),
            page: ask(`${doors.http}/lifecycle`),
            story: ask(`${users}/lifecycle/story?id=t34-paid&${secret}`, { headers: known }).pipe(
              Effect.filterOrFail(
                ({ text }) => text.includes("payments") && text.includes("/users/:id"),
                ({ text }) => new NotYet({ message: text })
              ),
              eventually
            )
          })
          for (const { text } of told.metrics) assert.include(text, "http_server_request_duration")
          assert.notInclude(JSON.stringify(told), secret)

          for (const stream of yield* Fiber.join(streams)) {
            assert.include(stream, "t34-last")
            assert.include(stream, "OrderPlaced")
            assert.notInclude(stream, secret)
          }
        }).pipe(
          Effect.scoped,
          Effect.provide(server),
          Effect.provideService(ConfigProvider.ConfigProvider, environment)
        )

        // The services have ended, so everything was written and sent.
        for (const service of ["users", "orders", "payments", "gateway"]) {
          assert.include(lines.join("\n"), `"service":"${service}"`)
        }
        assert.include(lines.join("\n"), "\"path\":\"/users/usr_1\"")
        assert.notInclude(lines.join("\n"), secret)
        assert.include(received["/v1/traces"] ?? "", "\"url.path\"")
        assert.include(received["/v1/traces"] ?? "", "command orders.Place")
        assert.include(received["/v1/metrics"] ?? "", "http.server.request.duration")
        for (const sent of Object.values(received)) assert.notInclude(sent, secret)
      }),
    60_000
  )
})
