import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { GatewayConfig } from "effect-lifecycle/gateway"
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
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

/** A configuration with a wrong field, and the paths that have to be named. */
const wrong: ReadonlyArray<readonly [paths: string, config: unknown]> = [
  ["upstreams", { routes: [route] }],
  ["upstreams,routes[0].upstream", { upstreams: {}, routes: [route] }],
  ["routes", { upstreams: { users } }],
  ["routes", { ...plain, routes: [] }],
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
  ["upstreams.users.authorities", {
    ...plain,
    upstreams: { users: { ...users, authorities: "-----BEGIN PUBLIC KEY-----" } }
  }],
  ["tls.certificate,tls.key", { ...plain, tls: { certificate: "no/such.pem", key: "-----BEGIN nothing" } }],
  ["tls.certificate,tls.key", { ...plain, tls: { certificate: "-----BEGIN nothing", key: "-----BEGIN nothing" } }],
  ["timeouts.answer", { ...plain, timeouts: { answer: "-5 seconds" } }],
  ["timeouts.answer", { ...plain, timeouts: { answer: "Infinity" } }],
  ["limits.rate.window", { ...plain, limits: { rate: { requests: 5 } } }]
]

describe("GatewayConfig", () => {
  for (const [path, config] of wrong) {
    it.effect(`names ${path} in ${JSON.stringify(config).slice(0, 140)}`, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* paths(config)).join(","), path)
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
      const refusal = (content: string | Uint8Array) => {
        writeFileSync(file, content)
        return Effect.map(Effect.flip(GatewayConfig.load(file)), ({ message, problems }) => {
          assert.isTrue(message.startsWith(`${file} is not a usable gateway configuration:\n  `), message)
          return problems.map(({ message }) => message).join("\n")
        })
      }
      const none = yield* Effect.flip(GatewayConfig.load(file))
      assert.deepStrictEqual(none.problems, [{ path: "", message: `There is no file ${file}` }])
      const inFolder = yield* Effect.flip(GatewayConfig.load(folder))
      assert.deepStrictEqual(inFolder.problems, [{ path: "", message: `${folder} is a folder, not a file` }])
      assert.match(yield* refusal("{ \"routes\": [ }"), /^It is not JSON: .*JSON/)
      assert.strictEqual(yield* refusal(""), "The file is empty")
      assert.strictEqual(yield* refusal(" \n"), "The file is empty")
      assert.strictEqual(yield* refusal("\uFEFF"), "The file is empty")
      assert.strictEqual(yield* refusal("[]"), "Expected object, got an array")
      assert.strictEqual(yield* refusal("null"), "Expected object, got null")
      assert.strictEqual(
        yield* refusal(Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(JSON.stringify(plain), "utf16le")])),
        `${file} is not text in UTF-8`
      )
      writeFileSync(file, JSON.stringify({ ...plain, routes: [{ ...route, upstream: "user" }] }))
      const { message } = yield* Effect.flip(GatewayConfig.load(file))
      assert.strictEqual(
        message,
        `${file} is not a usable gateway configuration:\n` +
          "  routes[0].upstream: No upstream is called \"user\"; there are: users"
      )
      for (const mark of ["", "\uFEFF"]) {
        writeFileSync(file, mark + JSON.stringify(plain))
        assert.deepStrictEqual((yield* GatewayConfig.load(file)).routes[0]?.prefix, "/")
      }
    }))

  /** As somebody who may not read everything. */
  const nobody = Effect.acquireRelease(
    Effect.sync(() => process.getuid?.() === 0 && process.seteuid?.(65_534)),
    () => Effect.sync(() => process.getuid?.() === 0 && process.seteuid?.(0))
  )

  it.effect("says that a file may not be read", () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "lc-gateway-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const file = join(folder, "gateway.json")
      writeFileSync(file, JSON.stringify(plain))
      chmodSync(file, 0o000)
      const { problems } = yield* Effect.flip(Effect.scoped(Effect.andThen(nobody, GatewayConfig.load(file))))
      assert.deepStrictEqual(problems, [{ path: "", message: `${file} cannot be read: this user has no right to` }])
    }))

  it.effect("says what was expected and what came, and shows nothing that could be a secret", () =>
    Effect.gen(function*() {
      const said = (config: object) =>
        Effect.map(
          Effect.flip(GatewayConfig.decode({ ...plain, ...config })),
          ({ problems }) => problems.map(({ message, path }) => `${path}: ${message}`).join("\n")
        )
      const duration = "Expected a duration such as \"5 seconds\", or a number of milliseconds"
      assert.strictEqual(
        yield* said({ listen: { host: "::", prot: 80 } }),
        "listen.prot: There is no such field; there are: host, port"
      )
      assert.strictEqual(yield* said({ listen: { port: "80" } }), "listen.port: Expected number, got \"80\"")
      assert.strictEqual(yield* said({ routes: {} }), "routes: Expected array, got an object")
      assert.strictEqual(yield* said({ routes: [{ prefix: "/" }] }), "routes[0].upstream: It is missing")
      assert.strictEqual(
        yield* said({ timeouts: { answer: "fast" } }),
        `timeouts.answer: ${duration}, got "fast"`
      )
      assert.strictEqual(yield* said({ timeouts: { answer: {} } }), `timeouts.answer: ${duration}, got an object`)
      assert.strictEqual(
        yield* said({ trust: "everybody" }),
        "trust: Expected \"none\" | \"loopback\" | \"private\" | \"all\", got \"everybody\""
      )
      assert.strictEqual(
        yield* said({ routes: [] }),
        "routes: Expected at least one route: without any, every request would be answered with 404"
      )
      assert.strictEqual(yield* said({ tls: "-----BEGIN PRIVATE KEY-----" }), "tls: Expected object, got a string")
      assert.strictEqual(
        yield* said({ upstreams: { users: { targets: "http://me:word@a:1" } } }),
        "upstreams.users.targets: Expected array, got a string"
      )
    }))

  it.effect("wants no routes for raw TCP forwarding", () =>
    Effect.gen(function*() {
      for (const routes of [{}, { routes: [] }]) {
        const config = yield* GatewayConfig.decode({ upstreams: plain.upstreams, ...routes }, { l4: true })
        assert.deepStrictEqual(config.routes, [])
      }
      const error = yield* Effect.flip(GatewayConfig.decode([], { l4: true }))
      assert.deepStrictEqual(error.problems, [{ path: "", message: "Expected object, got an array" }])
    }))

  describe.skipIf(!hasOpenssl)("tls", () => {
    const said = (tls: { readonly certificate: string; readonly key: string }) =>
      Effect.map(
        Effect.flip(GatewayConfig.decode({ ...plain, tls })),
        ({ problems }) => problems.map(({ message, path }) => `${path}: ${message}`)
      )

    it.live("finds certificates beside the file", () =>
      Effect.gen(function*() {
        const one = yield* certificate
        const file = join(one.folder, "gateway.json")
        writeFileSync(file, JSON.stringify({ ...plain, tls: { certificate: "cert.pem", key: "key.pem" } }))
        assert.strictEqual((yield* GatewayConfig.load(file)).tls?.key, one.key)
        writeFileSync(file, JSON.stringify({ ...plain, tls: { certificate: "cert.pem", key: "." } }))
        const { problems } = yield* Effect.flip(GatewayConfig.load(file))
        assert.deepStrictEqual(problems, [{ path: "tls.key", message: `${one.folder} is a folder, not a file` }])
      }))

    it.live("names the field that holds the other one's file, or both", () =>
      Effect.gen(function*() {
        const { certificate: cert, key } = yield* certificate
        const certificateWrong = "tls.certificate: It holds a private key, not a certificate"
        const keyWrong = "tls.key: It holds a certificate, not a private key"
        assert.deepStrictEqual(yield* said({ certificate: key, key }), [certificateWrong])
        assert.deepStrictEqual(yield* said({ certificate: cert, key: cert }), [keyWrong])
        assert.deepStrictEqual(yield* said({ certificate: key, key: cert }), [certificateWrong, keyWrong])
      }))

    it.live("refuses a key that is not the certificate's, and a certificate that is not the first of its chain", () =>
      Effect.gen(function*() {
        const [one, other] = [yield* certificate, yield* certificate]
        assert.deepStrictEqual(yield* said({ certificate: one.certificate, key: other.key }), [
          "tls.key: Its private key does not belong to the certificate"
        ])
        const chain = { certificate: other.certificate + one.certificate, key: one.key }
        assert.deepStrictEqual(yield* said(chain), [
          "tls.certificate: The certificate that belongs to the key is number 2 in it, and has to come first"
        ])
        const ordered = { certificate: one.certificate + other.certificate, key: one.key }
        assert.deepStrictEqual((yield* GatewayConfig.decode({ ...plain, tls: ordered })).tls, ordered)
        // One file for both, as other proxies want it.
        const both = `${one.key}${one.certificate}`
        assert.strictEqual(
          (yield* GatewayConfig.decode({ ...plain, tls: { certificate: both, key: both } })).tls?.key,
          both
        )
      }))

    it.live("says what else a file holds that is no use", () =>
      Effect.gen(function*() {
        const { certificate: cert, folder, key } = yield* certificate
        const openssl = (...args: ReadonlyArray<string>) => {
          const { status, stderr } = spawnSync("openssl", args, { cwd: folder })
          if (status !== 0) throw new Error(String(stderr))
        }
        openssl("pkey", "-in", "key.pem", "-aes256", "-passout", "pass:x", "-out", "locked.pem")
        openssl("req", "-new", "-key", "key.pem", "-subj", "/CN=x", "-out", "request.pem")
        openssl("x509", "-in", "cert.pem", "-outform", "der", "-out", "cert.der")
        const pem = (name: string) => readFileSync(join(folder, name), "utf8")
        const [locked] = yield* said({ certificate: cert, key: pem("locked.pem") })
        assert.match(String(locked), /^tls\.key: Its private key is encrypted/)
        assert.deepStrictEqual(yield* said({ certificate: pem("request.pem"), key }), [
          "tls.certificate: It holds a certificate request, not a certificate"
        ])
        assert.deepStrictEqual(yield* said({ certificate: join(folder, "cert.der"), key }), [
          `tls.certificate: ${join(folder, "cert.der")} is not text in UTF-8`
        ])
        const broken = cert.replace(/\n.{10}/, "\nAAAAAAAAAA")
        assert.match((yield* said({ certificate: broken, key })).join(), /^tls\.certificate: Certificate 1 of 1 in it/)
        assert.deepStrictEqual(yield* said({ certificate: cert.slice(0, 200), key }), [
          "tls.certificate: The certificate in it is not whole"
        ])
        assert.match(
          (yield* said({ certificate: cert, key: key.replace(/\n.{10}/, "\nAAAAAAAAAA") })).join(),
          /^tls\.key: Its private key cannot be read/
        )
      }))
  })
})
