import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, closedPort, gateway, rawUpstream, say, upstream } from "./harness.ts"

const origin = (port: number) => `http://127.0.0.1:${port}`
const once = { upstream: { retries: { attempts: 1 } } }

describe("Proxy-Status (RFC 9209) on the gateway's own answers", () => {
  const rows = [
    ["connection_refused", 502, Effect.map(closedPort, origin), once],
    [
      "connection_terminated",
      502,
      Effect.map(rawUpstream((socket) => socket.once("data", () => socket.destroy())), ({ origin }) => origin),
      once
    ],
    [
      "http_protocol_error",
      502,
      Effect.map(
        rawUpstream((socket) => socket.once("data", () => socket.end("noise\r\n\r\n"))),
        ({ origin }) => origin
      ),
      once
    ],
    ["dns_error", 502, Effect.succeed("http://nobody.invalid:80"), once],
    [
      "tls_protocol_error",
      502,
      Effect.map(upstream((_, response) => response.end()), ({ port }) => `https://127.0.0.1:${port}`),
      once
    ],
    [
      "http_response_timeout",
      504,
      Effect.map(rawUpstream(() => {}), ({ origin }) => origin),
      { ...once, timeouts: { answer: "50 millis" } }
    ],
    ["destination_not_found", 404, Effect.map(closedPort, origin), { route: { prefix: "/elsewhere" } }],
    ["http_request_error", 413, Effect.map(closedPort, origin), { limits: { bodyBytes: 2 } }]
  ] as const
  for (const [error, status, target, more] of rows) {
    it.live(`${status}: ${error}`, () =>
      Effect.gen(function*() {
        const { port } = yield* gateway([yield* target], more)
        const answer = yield* ask(port, "/", status === 413 ? { method: "POST", body: "too large" } : {})
        assert.deepStrictEqual(
          [answer.status, answer.headers["proxy-status"]],
          [status, `lifecycle-gateway; error=${error}`]
        )
      }))
  }

  it.live("destination_unavailable where no target is left, and the name as a string where it is no token", () =>
    Effect.gen(function*() {
      const { port } = yield* gateway([origin(yield* closedPort)], {
        name: "7th-door",
        upstream: { ejection: { failures: 1 } }
      })
      yield* ask(port, "/")
      const answer = yield* ask(port, "/")
      assert.strictEqual(answer.headers["proxy-status"], "\"7th-door\"; error=destination_unavailable")
    }))

  it.live("stands on what the parser refuses too, and not on an upstream's answer", () =>
    Effect.gen(function*() {
      const server = yield* upstream((_, response) => response.writeHead(502).end())
      const { port } = yield* gateway([server.origin], once)
      assert.include(yield* say(port, "noise\r\n\r\n"), "proxy-status: lifecycle-gateway; error=http_request_error")
      const passed = yield* ask(port, "/")
      assert.deepStrictEqual([passed.status, passed.headers["proxy-status"]], [502, undefined])
    }))
})
