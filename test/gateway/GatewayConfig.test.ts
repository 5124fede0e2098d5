import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { GatewayConfig } from "effect-lifecycle/gateway"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { certificate, hasOpenssl } from "./harness.ts"

const plain = {
  upstreams: { users: { targets: ["http://127.0.0.1:4101"] } },
  routes: [{ prefix: "/", upstream: "users" }]
}
const users = { targets: ["http://127.0.0.1:4101"] }
const route = { prefix: "/", upstream: "users" }
const paths = (input: unknown) =>
  Effect.map(Effect.flip(GatewayConfig.decode(input)), (error) => error.problems.map(({ path }) => path))

/** A configuration with one wrong field, and the path that has to be named. */
const wrong: ReadonlyArray<readonly [path: string, config: unknown]> = [
  ["upstreams", { routes: [] }],
  ["routes", { upstreams: {} }],
  ["listen.port", { ...plain, listen: { port: 70_000 } }],
  ["listen.prot", { ...plain, listen: { prot: 80 } }],
  ["limts", { ...plain, limts: {} }],
  ["name", { ...plain, name: "a b" }],
  ["trust", { ...plain, trust: "everybody" }],
  ["internalHeaders[0]", { ...plain, internalHeaders: ["x bad"] }],
  ["upstreams.users.targets[0]", { ...plain, upstreams: { users: { targets: [] } } }],
  ["upstreams.users.targets[1]", { ...plain, upstreams: { users: { targets: ["http://a:1", "ftp://a"] } } }],
  ["upstreams.users.targets[0]", { ...plain, upstreams: { users: { targets: ["http://a:1/path"] } } }],
  ["upstreams.users.targets[0]", { ...plain, upstreams: { users: { targets: ["http://user:pw@a:1"] } } }],
  ["upstreams.users.targets[1]", { ...plain, upstreams: { users: { targets: ["http://a:1", "http://A:1"] } } }],
  ["upstreams.users.targets[0].url", { ...plain, upstreams: { users: { targets: [{ url: "nonsense" }] } } }],
  ["upstreams.users.balance", { ...plain, upstreams: { users: { ...users, balance: "random" } } }],
  ["upstreams.users.sticky.cookie", { ...plain, upstreams: { users: { ...users, sticky: { cookie: "a;b" } } } }],
  ["upstreams.users.health.path", { ...plain, upstreams: { users: { ...users, health: { path: "ready" } } } }],
  ["upstreams.users.health.interval", {
    ...plain,
    upstreams: { users: { ...users, health: { path: "/ready", interval: "0 seconds" } } }
  }],
  ["upstreams.users.health.interval", {
    ...plain,
    upstreams: { users: { ...users, health: { path: "/ready", interval: "5 parsecs" } } }
  }],
  ["upstreams.users.ejection.failures", { ...plain, upstreams: { users: { ...users, ejection: { failures: 0 } } } }],
  ["upstreams.users.authorities", { ...plain, upstreams: { users: { ...users, authorities: "no/such.pem" } } }],
  ["routes[0].upstream", { ...plain, routes: [{ ...route, upstream: "user" }] }],
  ["routes[0].prefix", { ...plain, routes: [{ ...route, prefix: "api" }] }],
  ["routes[0].host", { ...plain, routes: [{ ...route, host: "a.example:443" }] }],
  ["routes[0].strip", { ...plain, routes: [{ ...route, prefix: "/apiary", strip: "/api" }] }],
  ["routes[0].limits.bodyBytes", { ...plain, routes: [{ ...route, limits: { bodyBytes: -1 } }] }],
  ["routes[1]", { ...plain, routes: [{ ...route, host: "A.example" }, { ...route, host: "a.example" }] }],
  ["tcp.upstream", { ...plain, tcp: { upstream: "orders" } }],
  ["tls.certificate", { ...plain, tls: { certificate: "no/such.pem", key: "-----BEGIN nothing" } }],
  ["tls", { ...plain, tls: { certificate: "-----BEGIN nothing", key: "-----BEGIN nothing" } }],
  ["timeouts.answer", { ...plain, timeouts: { answer: "-5 seconds" } }],
  ["timeouts.answer", { ...plain, timeouts: { answer: "Infinity" } }],
  ["limits.rate.window", { ...plain, limits: { rate: { requests: 5 } } }]
]

describe("GatewayConfig", () => {
  for (const [path, config] of wrong) {
    it.effect(`names ${path} in ${JSON.stringify(config).slice(0, 140)}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* paths(config), [path])
      }))
  }

  it.effect("names every wrong field at once", () =>
    Effect.gen(function*() {
      const config = { listen: { port: -1 }, upstreams: { users: { targets: 5 } }, routes: [{ prefix: "x" }] }
      assert.sameMembers(yield* paths(config), [
        "listen.port",
        "upstreams.users.targets",
        "routes[0].prefix",
        "routes[0].upstream"
      ])
    }))

  it.effect("takes durations as text and as milliseconds", () =>
    Effect.gen(function*() {
      const config = yield* GatewayConfig.decode({ ...plain, timeouts: { answer: "2 seconds", idle: 250 } })
      assert.deepStrictEqual(
        [config.timeouts?.answer, config.timeouts?.idle].map((value) => value && Duration.toMillis(value)),
        [2000, 250]
      )
    }))

  it.effect("says what is wrong with the file as a whole, and where fields are wrong", () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "lc-gateway-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const file = join(folder, "gateway.json")
      assert.match((yield* Effect.flip(GatewayConfig.load(file))).message, /not a usable[^]*ENOENT/)
      writeFileSync(file, "{ \"routes\": [ }")
      assert.match((yield* Effect.flip(GatewayConfig.load(file))).message, /not a usable[^]*JSON/)
      writeFileSync(file, JSON.stringify({ ...plain, routes: [{ ...route, upstream: "user" }] }))
      const { message } = yield* Effect.flip(GatewayConfig.load(file))
      assert.strictEqual(
        message,
        `${file} is not a usable gateway configuration:\n` +
          "  routes[0].upstream: No upstream is called \"user\"; there are: users"
      )
      writeFileSync(file, JSON.stringify(plain))
      assert.deepStrictEqual((yield* GatewayConfig.load(file)).routes[0]?.prefix, "/")
    }))

  it.live.skipIf(!hasOpenssl)(
    "finds certificates beside the file, and refuses a key that is not theirs",
    () =>
      Effect.gen(function*() {
        const [one, other] = [yield* certificate, yield* certificate]
        const file = join(one.folder, "gateway.json")
        writeFileSync(file, JSON.stringify({ ...plain, tls: { certificate: "cert.pem", key: "key.pem" } }))
        assert.strictEqual((yield* GatewayConfig.load(file)).tls?.key, one.key)
        const mixed = { ...plain, tls: { certificate: one.certificate, key: other.key } }
        assert.deepStrictEqual(yield* paths(mixed), ["tls"])
      })
  )
})
