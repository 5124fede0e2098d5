import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { node, root } from "../cli/command.ts"
import { ask } from "./harness.ts"
import { folder } from "./process.ts"

const main = join(root, "lessons", "service", "tour", "main.ts")

/** A program of the clone, as `npm start` runs it, with a folder of its own for what is temporary. */
const run = (script: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(folder, (temporary) =>
    Effect.map(
      node(["--conditions=lifecycle-source", script, ...args], {
        env: { HOME: temporary, TMPDIR: temporary, ...env }
      }),
      (ended) => ({ ...ended, temporary })
    ))

/** What processes there are that were started with something of this folder. */
const processesOf = (path: string): ReadonlyArray<string> =>
  fs.existsSync("/proc")
    ? fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
      try {
        const command = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
        return command.includes(path) ? [command] : []
      } catch {
        return []
      }
    })
    : []

const lines = (text: string) => text.trimEnd().split("\n")

describe("the tour", () => {
  it.live("comes to its end with every scenario as expected, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const before = performance.now()
      const { code, err, out, temporary } = yield* run(main, ["--plain"])
      assert.deepStrictEqual({ code, err }, { code: 0, err: "" }, out)
      assert.isBelow(performance.now() - before, 20_000)

      const [, asExpected, total] = /^tour: (\d+) of (\d+) scenarios as expected$/.exec(lines(out).at(-1) ?? "") ?? []
      assert.strictEqual(asExpected, total, out)
      assert.lengthOf(out.match(/^ok /gm) ?? [], Number(total), out)

      // The waterfall: fifteen stages in order, each of them measured.
      const stages = lines(out).flatMap((line) =>
        /^ ?(\d+) ([A-Z][a-z]+) +.*?(\d+\.\d{3}|not on this road: .+)$/.exec(line) ?? []
      )
      const rows = Array.from({ length: stages.length / 4 }, (_, row) => stages.slice(row * 4, row * 4 + 4))
      assert.deepStrictEqual(
        rows.map(([, order]) => Number(order)),
        Array.from({ length: 15 }, (_, index) => index + 1),
        out
      )
      assert.deepStrictEqual(rows.filter(([, , , time]) => !(Number(time) > 0)), [], out)

      for (
        const failure of [
          "unknown host",
          "refused port",
          "401",
          "404",
          "405",
          "409",
          "412",
          "413",
          "415",
          "422",
          "500",
          "504"
        ]
      ) {
        assert.match(out, new RegExp(`^ok ${failure}[^]*?\\n {7}[A-Z][a-z]+, stage \\d+ of 15\\. [A-Z0-9]`, "m"))
      }

      assert.notInclude(out, "\u001b")
      assert.isAtMost(Math.max(...lines(out).map((line) => line.length)), 110)
      assert.deepStrictEqual(fs.readdirSync(temporary).filter((name) => name.includes("pg")), [])
      assert.deepStrictEqual(processesOf(temporary), [])
      assert.match(out, /^ 5 Balancer +gateway\/LoadBalancer .*\n 6 Proxy +gateway\/ReverseProxy /m)
      assert.match(out, /^total .*, 15 of 15 stages measured, /m)

      const addresses = [
        ...out.match(/http:\/\/127\.0\.0\.1:\d+/g) ?? [],
        ...out.match(/https:\/\/localhost:\d+/g) ?? []
      ]
      assert.isAtLeast(addresses.length, 4)
      for (const address of addresses) yield* Effect.flip(ask(`${address}/health/live`))
    }))

  it.live("ends with 1 and says what differs when a route is broken", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* run(join(import.meta.dirname, "brokenTour.ts"), ["--plain"])
      assert.deepStrictEqual({ code, err }, { code: 1, err: "" }, out)
      const [, asExpected, total] = /^tour: (\d+) of (\d+) scenarios as expected$/.exec(lines(out).at(-1) ?? "") ?? []
      assert.strictEqual(Number(asExpected), Number(total) - 2, out)
      const broken = out.match(/^!! .*/gm)
      assert.deepStrictEqual(broken, [
        "!! PATCH /users/{id} twice with If-Match: \"1\": the second has not seen the first",
        "!! 412 PATCH /users/{id} with the If-Match of another version"
      ])
      assert.match(out, /^differs: PATCH .*: the status of the stale change: expected 412, got 200$/m)
      assert.match(
        out,
        /^differs: PATCH .*: the user afterwards: expected .*Alice Liddell.*, got .*Alice Pleasance.*$/m
      )
      assert.match(
        out,
        /^differs: 412 PATCH .*: the stage that Diagnosis names: expected Dependencies, got undecided$/m
      )
    }))

  it.live("says in one sentence why it cannot start", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* run(main, ["--plain"], { DATABASE_URL: "mysql://me:s3cret@127.0.0.1/shop" })
      assert.deepStrictEqual({ code, out }, { code: 1, out: "" }, err)
      assert.lengthOf(lines(err), 1, err)
      assert.match(err, /^DATABASE_URL is not the address of a PostgreSQL server .*: write it as /)
      assert.notInclude(err, "s3cret")
    }))
})
