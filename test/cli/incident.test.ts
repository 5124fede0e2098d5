import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Check, Figures } from "../../lessons/service/incident/report.ts"
import { lifecycle } from "./command.ts"

interface Answer {
  readonly ok: boolean
  readonly before: Figures & { readonly alarms: ReadonlyArray<{ readonly alarm: string; readonly state: string }> }
  readonly after: Figures
  readonly log: ReadonlyArray<string>
  readonly metrics: ReadonlyArray<string>
  readonly checks: ReadonlyArray<Check>
  readonly rules: string
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The folders of embedded servers whose process is gone: nobody will remove them. */
const orphans = (): ReadonlyArray<string> =>
  readdirSync(tmpdir()).filter((name) => {
    const owner = join(tmpdir(), name, "owner")
    if (!name.startsWith("lifecycle-pg-") || !existsSync(owner)) return false
    return !isAlive(Number(readFileSync(owner, "utf8").split(" ")[1]))
  })

describe("lifecycle incident", () => {
  it.live(
    "the pool runs dry before and not after, as real requests, log lines, metrics and alarms say",
    () =>
      Effect.gen(function*() {
        const began = Date.now()
        const orphaned = new Set(orphans())
        const { code, err, out } = yield* lifecycle(["incident", "pool", "--json"])
        const answer: Answer = JSON.parse(out)
        // First, because it says what was not as expected.
        assert.deepStrictEqual(answer.checks.filter(({ ok }) => !ok), [])
        assert.strictEqual(err, "")
        assert.strictEqual(code, 0)
        assert.isTrue(answer.ok)
        assert.strictEqual(answer.checks.length, 10)
        // The process has ended by itself, so no socket, server or timer of it is left.
        assert.isBelow(Date.now() - began, 60_000)
        assert.deepStrictEqual(orphans().filter((name) => !orphaned.has(name)), [])

        assert.match(
          answer.log.join("\n"),
          new RegExp(
            "^[\\d:.]{12}Z INFO  \\[f4a2b3c1\\] POST /orders user=88 status=500 duration=1\\d{4}ms\n" +
              "[\\d:.]{12}Z ERROR \\[f4a2b3c1\\] PoolTimeout: 5 of 5 connections in use, none free within 10000 ms$"
          )
        )
        const { after, before } = answer
        assert.strictEqual(before.requests, before.ok + before.failed500 + before.refused503 + before.unanswered)
        assert.strictEqual(before.requests, after.requests)
        assert.strictEqual(before.poolUse, 1)
        assert.isAbove(before.failed500, 0)
        assert.strictEqual(after.failed500, 0)
        assert.isAbove(after.ok, 2 * before.ok)
        assert.isBelow(after.p99Millis, before.p99Millis / 2)
        assert.isAtLeast(before.longestWaitMillis, 10_000)
        assert.includeMembers([...answer.metrics], [
          "db_client_connection_count{db_client_connection_pool_name=\"orders\",db_client_connection_state=\"used\"} 5"
        ])
        const fired = before.alarms.filter(({ state }) => state === "firing").map(({ alarm }) => alarm)
        assert.strictEqual(fired.at(-1), "ServerErrors")
        assert.includeMembers(fired, ["PoolUse", "Latency"])
        assert.match(answer.rules, /^ {6}- alert: "PoolUse"$/m)
      }),
    90_000
  )

  it.live("stopped in the middle it takes its server and its folder with it", () =>
    Effect.gen(function*() {
      const before = new Set(orphans())
      const { code, out } = yield* lifecycle(["incident", "pool", "--plain"], { signal: "SIGINT" })
      assert.strictEqual(code, 130)
      assert.include(out, "The pool that ran dry")
      assert.notInclude(out, "as expected")
      assert.deepStrictEqual(orphans().filter((name) => !before.has(name)), [])
    }), 60_000)

  it.live("knows no other incident, and says which there are", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* lifecycle(["incident", "flood"])
      assert.strictEqual(code, 2)
      assert.match(`${out}${err}`, /pool/)
    }))
})
