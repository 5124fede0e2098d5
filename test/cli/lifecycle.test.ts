import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { dirname, join } from "node:path"
import { installed, lifecycle, node, root } from "./command.ts"

const lines = (text: string) => text.trimEnd().split("\n")

const server = (status: number, body: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((_, response) => {
        response.writeHead(status, { "content-type": "application/json" }).end(body)
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}/`, close: () => server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

describe("lifecycle", () => {
  it.live("prints the package's version", () =>
    Effect.gen(function*() {
      const { version } = JSON.parse(fs.readFileSync(join(root, "package.json"), "utf8")) as { version: string }
      assert.deepStrictEqual(yield* lifecycle(["--version"]), { code: 0, out: `lifecycle v${version}\n`, err: "" })
    }))

  it.live("lists its commands", () =>
    Effect.gen(function*() {
      const { code, out } = yield* lifecycle(["--help"])
      assert.strictEqual(code, 0)
      for (const command of ["serve", "probe", "diagnose", "doctor"]) {
        assert.match(out, new RegExp(`^  ${command} +[A-Z]`, "m"))
      }
    }))

  it.live("names the flag that leaves the gateway out, which the help of a flag that is on would not show", () =>
    Effect.gen(function*() {
      const { code, out } = yield* lifecycle(["serve", "--help"])
      assert.strictEqual(code, 0)
      assert.match(out, /^ {2}--gateway .*; --no-gateway leaves it out$/m)
    }))

  it.live("names the nearest command for a word it does not know", () =>
    Effect.gen(function*() {
      const { code, err } = yield* lifecycle(["doctr"])
      assert.strictEqual(code, 1)
      assert.match(err, /Unknown subcommand "doctr"[^]*Did you mean this\?\s+doctor/)
    }))

  it.live("says which Node is needed before anything else is read", () =>
    Effect.gen(function*() {
      const stub = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.18.3' } })"
      const old = ["--import", `data:text/javascript,${encodeURIComponent(stub)}`]
      for (const script of ["preflight.mjs", "bin.mjs"]) {
        const { code, err, out } = yield* node([...old, join(root, "src", "cli", script)])
        assert.strictEqual(code, 1)
        assert.strictEqual(out, "")
        assert.match(lines(err)[0]!, /needs Node 22\.19 or newer, but this is Node 22\.18\.3 \(/)
        assert.include(err, "npm ci")
        assert.notInclude(err, "    at ")
      }
    }))

  describe("doctor", () => {
    it.live("finds nothing to complain about where everything is there", () =>
      Effect.gen(function*() {
        const { code, err, out } = yield* lifecycle(["doctor"])
        assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
        assert.deepStrictEqual(lines(out).map((line) => line.split(":")[0]), [
          "OK       Node",
          "OK       Library",
          "OK       Learning",
          "OK       PostgreSQL packages",
          "OK       Workspace",
          "OK       Saves",
          "OK       Course",
          "OK       DATABASE_URL",
          "OK       PostgreSQL",
          "OK       Connections",
          // Another program may have the ports, and a machine may keep the network open.
          lines(out)[10]?.split(":")[0],
          lines(out)[11]?.split(":")[0]
        ])
        assert.match(lines(out)[10] ?? "", /^(OK|note) +Ports: /)
        assert.match(lines(out)[11] ?? "", /^(OK|note) +Grading: /)
      }))

    it.live("ends with 1 when a server does not answer, and keeps the password to itself", () =>
      Effect.gen(function*() {
        const DATABASE_URL = "postgres://me:s3cret@127.0.0.1:1/shop"
        const { code, err, out } = yield* lifecycle(["doctor"], { env: { DATABASE_URL } })
        assert.strictEqual(code, 1)
        assert.match(out, /^problem {2}DATABASE_URL: No PostgreSQL answers at 127\.0\.0\.1:1 /m)
        assert.strictEqual(err, "1 problem found.\n")
        assert.notInclude(out + err, "s3cret")
      }))

    it.live("says which folder cannot be written, in the language that is asked for", () =>
      Effect.gen(function*() {
        // Nobody can write there, not even root.
        const { code, err, out } = yield* lifecycle(["doctor", "--dir", "/proc/lifecycle", "--lang", "de"])
        assert.strictEqual(code, 1)
        assert.match(out, /^Problem {2}Arbeitsordner: In den Ordner .*lifecycle darf nicht geschrieben werden/m)
        assert.strictEqual(err, "1 Problem gefunden.\n")
      }))

    it.live("notes when the workers' pools may ask for more connections than PostgreSQL grants", () =>
      Effect.gen(function*() {
        const four = yield* lifecycle(["doctor", "--workers", "4"], { env: { POOL_SIZE: "9" } })
        assert.strictEqual(four.code, 0)
        assert.match(
          four.out,
          /^note {5}Connections: .*--workers 4.* pools of 9 may open 108, and PostgreSQL grants 97: /m
        )
        const three = yield* lifecycle(["doctor", "--workers", "3"], { env: { POOL_SIZE: "9" } })
        assert.match(three.out, /^OK {7}Connections: .* opens 81 at most, PostgreSQL grants 97$/m)
      }))

    it.live("notes a port that is taken", () =>
      Effect.gen(function*() {
        const { url } = yield* server(200, "{}")
        const { port } = new URL(url)
        const { code, out } = yield* lifecycle(["doctor"], { env: { PORT: port } })
        assert.strictEqual(code, 0)
        assert.include(out, `note     Ports: ${port} is taken`)
      }))
  })

  describe("probe", () => {
    it.live("draws the stages of an answer", () =>
      Effect.gen(function*() {
        const { url } = yield* server(200, "{}")
        const { code, err, out } = yield* lifecycle(["probe", url])
        assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
        assert.match(out, /^ 2 Connect .*\d\.\d{3}$/m)
        assert.match(out, /answered 200 over HTTP\/1\.1, 2 bytes$/m)
      }))

    it.live("names the stage of an answer that is a failure", () =>
      Effect.gen(function*() {
        const { url } = yield* server(404, "{\"detail\":\"Not Found\"}")
        const { code, err, out } = yield* lifecycle(["probe", url])
        assert.strictEqual(code, 1)
        assert.match(out, /^Stage {2}Router .*\nWhy .*\nTry /m)
        assert.strictEqual(err, "The request failed: the answer is 404.\n")
      }))

    it.live("names the stage at which a request ended without an answer", () =>
      Effect.gen(function*() {
        const { code, err, out } = yield* lifecycle(["probe", "http://127.0.0.1:1/"])
        assert.strictEqual(code, 1)
        assert.match(out, /^Stage {2}Connect .*measured\nWhy .*ECONNREFUSED.*\nTry /m)
        assert.match(err, /Connect did not succeed/)
      }))

    it.live("says what is wrong with a URL that is none", () =>
      Effect.gen(function*() {
        const { code, err, out } = yield* lifecycle(["probe", "example"])
        assert.deepStrictEqual({ code, out }, { code: 2, out: "" })
        assert.match(err, /nothing was sent, the URL is not absolute/)
      }))
  })

  describe("diagnose", () => {
    const diagnose = (input: string) => lifecycle(["diagnose"], { input })

    it.live("reads curl's words", () =>
      Effect.gen(function*() {
        const { code, out } = yield* diagnose("curl: (6) Could not resolve host: api.exmaple.com\n")
        assert.strictEqual(code, 0)
        assert.match(out, /^Stage {2}Dns \(stage 1 of 15\), certain\nWhy .*\nTry /)
      }))

    it.live("reads an error of Node", () =>
      Effect.gen(function*() {
        const { out } = yield* diagnose("Error: connect ECONNREFUSED 127.0.0.1:4100\n    at TCPConnectWrap\n")
        assert.match(out, /^Stage {2}Connect /)
      }))

    it.live("does not guess", () =>
      Effect.gen(function*() {
        const { code, out } = yield* diagnose("it does not work\n")
        assert.strictEqual(code, 0)
        assert.match(out, /^Stage {2}undecided/)
      }))

    it.live("says what it wants when it gets nothing", () =>
      Effect.gen(function*() {
        const { code, err } = yield* diagnose("")
        assert.strictEqual(code, 1)
        assert.match(err, /nothing to diagnose: pipe curl's output/)
      }))
  })

  describe("installed without its optional packages", () => {
    it.live("is one line that says what to install", () =>
      Effect.gen(function*() {
        const home = yield* installed(["effect"])
        const { code, err, out } = yield* lifecycle(["probe", "http://127.0.0.1:1/"], { home })
        assert.deepStrictEqual({ code, out }, { code: 1, out: "" })
        assert.deepStrictEqual(lines(err).length, 1)
        assert.match(
          err,
          /not installed \(@effect\/platform-node\): run `npm install --save-dev .*@effect\/platform-node@~4\.1\.0`/
        )
      }))

    it.live("asks only for what the command needs", () =>
      Effect.gen(function*() {
        const home = yield* installed(["effect", "@effect/platform-node"])
        const probed = yield* lifecycle(["probe", "http://127.0.0.1:1/"], { home, cwd: home })
        assert.match(probed.out, /^Stage {2}Connect /m)
        const { code, err, out } = yield* lifecycle(["doctor"], { home, cwd: home })
        assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
        assert.match(
          out,
          /^note {5}Learning: vitest, @effect\/vitest, typescript not installed\. To add them: npm install --save-dev "vitest@>=5/m
        )
        assert.match(out, /^note {5}PostgreSQL packages: .*"@effect\/sql-pg@\^4\.0\.5"/m)
        assert.notInclude(out, "Ports", "the services are in the clone")
      }))

    it.live("says that the services are in the clone", () =>
      Effect.gen(function*() {
        const home = yield* installed(["effect", "@effect/platform-node"])
        const { code, err, out } = yield* lifecycle(["serve"], { home, cwd: home })
        assert.deepStrictEqual({ code, out }, { code: 1, out: "" })
        assert.match(err, /runs the example services of the project's clone.*clone the repository.*npm run serve/)
      }))

    it.live.each(["SIGINT", "SIGTERM"] as const)(
      "ends `serve` with 0 on %s, after its finalizers",
      (signal) =>
        Effect.gen(function*() {
          const home = yield* installed(["effect", "@effect/platform-node"])
          const file = join(home, "lessons", "service", "serve.ts")
          fs.mkdirSync(dirname(file), { recursive: true })
          fs.writeFileSync(
            file,
            `import { Console, Effect } from "effect"
          export const serve = (options: { json: boolean, port?: number }) =>
            Console.log(JSON.stringify(options)).pipe(
              Effect.andThen(Effect.never),
              Effect.ensuring(Effect.andThen(Effect.sleep(50), Console.log("drained")))
            )`
          )
          const ended = yield* lifecycle(["serve", "--json", "--port", "4200"], { home, cwd: home, signal })
          assert.deepStrictEqual(ended, {
            code: 0,
            out: "{\"json\":true,\"gateway\":true,\"port\":4200}\ndrained\n",
            err: ""
          })
        })
    )
  })
})
