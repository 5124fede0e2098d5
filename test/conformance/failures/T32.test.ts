import { afterAll, assert, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { Diagnosis, Failure, Stage } from "effect-lifecycle/lifecycle"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { hasOpenssl } from "../../gateway/harness.ts"
import { certificates } from "./certificates.ts"
import type { Answered } from "./client.ts"
import { hasCurl, sendWith } from "./clients.ts"
import { type DoorName, nginxVersion } from "./doors.ts"
import type { ClientName, ClientRow, Expected, ServerRow } from "./row.ts"
import { rows, unseen } from "./rows.ts"
import { type Result, run } from "./run.ts"
import { secrets } from "./secrets.ts"
import { head, keyOf, linesOf, type Seen, seenThrough } from "./table.ts"

const clientRows = rows.filter((row): row is ClientRow => row.kind === "client")
const serverRows = rows.filter((row): row is ServerRow => row.kind === "server")
const seen = new Map<string, ReadonlyArray<Seen>>()
const keep = (one: Seen) => void seen.set(keyOf(one), [...seen.get(keyOf(one)) ?? [], one])

/** Why a row cannot be seen here. Where the gate runs, everything has to be there. */
const missing = (at: DoorName | "direct" | ClientName): string | undefined => {
  if (at === "nginx" && nginxVersion === undefined) return "nginx is not installed"
  if (at === "curl" && !hasCurl) return "curl is not installed"
  return undefined
}

const ranked = (diagnosis: Diagnosis.Diagnosis): string =>
  diagnosis.ranked.map(({ confidence, evidence, stage }) => `${stage} ${confidence}: ${evidence}`).join("\n")

const names = (
  diagnosis: Diagnosis.Diagnosis,
  stage: Expected["stage"],
  failure: Failure.FailureId | undefined
): void => {
  assert.strictEqual(diagnosis.verdict, stage, ranked(diagnosis))
  if (stage === "undecided") return
  assert.strictEqual(diagnosis.ranked[0]?.failure, failure, ranked(diagnosis))
}

const scope = Scope.makeUnsafe()
const made = Effect.runSync(Effect.cached(Scope.provide(certificates, scope)))
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

describe("T32 before any HTTP answer, each failure is caused for real, and every client's error names its stage", () => {
  for (const row of clientRows) {
    const title = `${row.failure ?? "undecided"}: ${row.fault}`
    for (const name of row.clients) {
      it.live(`${title}, by ${name}`, (context) => {
        const reason = missing(name) ?? (hasOpenssl ? undefined : "openssl is not installed")
        if (reason !== undefined) context.skip(reason)
        return Effect.gen(function*() {
          const all = yield* made
          const target = yield* row.cause(all)
          const trust = { pem: all.authority, file: all.authorityFile }
          const trouble = yield* Effect.timeout(sendWith(name, target, trust), "5 seconds")
          const diagnosis = Diagnosis.diagnose(trouble.evidence)
          names(diagnosis, row.failure === undefined ? "undecided" : Failure.get(row.failure).stage, row.failure)
          assert.strictEqual(
            diagnosis.reached,
            row.failure !== undefined && Stage.get(diagnosis.verdict as Stage.StageName).side === "server"
          )
          if (name !== row.clients[0]) return
          assert.strictEqual(trouble.code, row.code)
          keep({
            failure: row.failure ?? "-",
            fault: row.fault,
            at: "socket",
            client: `no whole answer: ${trouble.code}`,
            diagnosis,
            withLog: undefined,
            logs: []
          })
        })
      })
    }
  }
})

const checkAnswer = (row: ServerRow, at: string, expected: Expected, { outcome, requestId }: Result): void => {
  if (outcome._tag === "Failed") {
    assert.isUndefined(expected.status, `${outcome.code} ${outcome.error.message}`)
    return
  }
  assert.strictEqual(outcome.status, expected.status, outcome.body)
  assert.strictEqual(outcome.headers["x-request-id"], requestId)
  assert.match(requestId ?? "", /^[\w-]{32,36}$/)
  if (expected.form === "html") checkPage(outcome)
  else if (expected.form === "empty") checkPreflight(outcome)
  else checkProblem(row, at, expected, outcome)
}

const checkPage = ({ body, headers, status }: Answered): void => {
  assert.strictEqual(headers["content-type"], "text/html")
  assert.include(body, `<h1>${status} `)
}

const checkPreflight = ({ body, headers }: Answered): void => {
  assert.strictEqual(body, "")
  assert.deepStrictEqual(Object.keys(headers).filter((name) => name.startsWith("access-control-")), [])
}

const checkProblem = (row: ServerRow, at: string, expected: Expected, { body, headers, status }: Answered): void => {
  assert.strictEqual(headers["content-type"], "application/problem+json")
  assert.strictEqual(headers["cache-control"], "no-store")
  const problem = JSON.parse(body) as Record<string, unknown>
  assert.strictEqual(problem["status"], status)
  assert.match(String(problem["type"]), /^(?:urn:problem:|https:|about:blank)/)
  if (expected.ownId === true) assert.notStrictEqual(problem["requestId"], headers["x-request-id"])
  else assert.strictEqual(problem["requestId"], headers["x-request-id"])
  // A door that lost its application speaks for itself; the header says whose fault it was.
  const speaker = row.failure === "server-worker-crashed" ? "Proxy" : expected.stage
  assert.strictEqual(problem["stage"], speaker)
  const inside = Object.keys(expected.lines).includes("application") || expected.ownId === true || at === "direct"
  if (at === "gateway") {
    assert.strictEqual(headers["via"], "1.1 door")
    assert.strictEqual(headers["proxy-status"] === undefined, speaker !== "Proxy" && speaker !== "Balancer")
    if (!inside) assert.match(headers["proxy-status"] ?? "", /^door; error=[a-z_]+$/)
  }
  assert.notMatch(body + JSON.stringify(headers), /127\.0\.0\.1|ECONN|\/work\/|node_modules|\.ts:\d/)
}

const checkLogs = (expected: Expected, { errors, lines, nginxErrors, ours, requestId }: Result): void => {
  const access = lines.filter(({ status }) => status !== undefined)
  assert.deepStrictEqual(
    Object.fromEntries(access.map(({ status, who }) => [who, status])),
    { ...expected.lines },
    "the access lines under the request's id"
  )
  assert.strictEqual(access.length, Object.keys(expected.lines).length, "one access line each")
  for (const line of lines) assert.strictEqual(line.requestId, requestId)
  for (const [name, secret] of Object.entries(secrets)) {
    assert.notInclude(ours, secret, `an access or error line holds the ${name}`)
    // Nginx quotes the request line, and with it the query.
    if (name !== "query") assert.notInclude(nginxErrors, secret, `nginx's error log holds the ${name}`)
  }
  if (!("nginx" in expected.lines)) return
  const known = expected.withLog?.failure ?? expected.failure
  const isNginxs = expected.form === "html" || expected.withLog !== undefined || expected.stage === "Response"
  if (known === undefined || !isNginxs) return
  // The words that `Failure` promises are those of a real nginx; numbers and names apart.
  const shape = (text: string) => text.replaceAll(/\d[\d.]*/g, "0").replaceAll(/"[^"]*"/g, "\"...\"")
  const promised = shape(expected.nginxLog ?? Failure.get(known).logLine)
  assert.include(errors.map(shape).join("\n"), promised)
}

describe("T32 each failure behind a door is caused for real, and client, logs and diagnosis agree on it", () => {
  for (const row of serverRows) {
    for (const at of ["direct", "gateway", "nginx"] as const) {
      const expected = row.at[at]
      if (expected === undefined) continue
      it.live(`${row.failure}: ${row.fault}, at ${at === "direct" ? "the application" : at}`, (context) => {
        const reason = missing(at)
        if (reason !== undefined) context.skip(reason)
        return Effect.gen(function*() {
          const result = yield* run(row, at, expected)
          checkAnswer(row, at, expected, result)
          names(result.diagnosis, expected.stage, expected.failure)
          if (expected.withLog !== undefined) {
            const { failure, stage } = expected.withLog
            if (result.withLog === undefined) assert.fail("nginx wrote nothing into its error log")
            else names(result.withLog, stage, failure)
          }
          checkLogs(expected, result)
          keep(seenThrough(row.failure, row.fault, at === "direct" ? "application" : at, result))
        })
      })
    }
  }
})

describe("T32 the failure table", () => {
  it("has every row here, the lesson's eighteen among them, or a reason why not", () => {
    const caused = new Set(rows.map(({ failure }) => failure))
    for (const { id, lessonRow } of Failure.all) {
      assert.isTrue(caused.has(id) !== (unseen[id] !== undefined), `${id}: caused, or excused, and not both`)
      if (lessonRow !== undefined) assert.isTrue(caused.has(id), `the lesson's row ${lessonRow}`)
    }
  })

  it("is seen through a real nginx where the gate runs", () => {
    if (process.env["CI"] !== undefined && process.env["CI"] !== "") assert.isDefined(nginxVersion, "install nginx")
  })

  it("stands in the README as it was seen", async () => {
    const path = fileURLToPath(new URL("../../../src/lifecycle/README.md", import.meta.url))
    const readme = await readFile(path, "utf8")
    const section = /(<!-- generated: seen -->\n)([^]*?)(<!-- \/generated -->)/.exec(readme)
    if (section === null) return assert.fail("the README has no place for the table")
    const before = (section[2] ?? "").split("\n")
    const lines = rows.flatMap((row) => {
      const key = keyOf({ failure: row.failure ?? "-", fault: row.fault })
      const found = seen.get(key) ?? []
      // What was not run in this place stays as it is.
      const isWhole = found.length === (row.kind === "client" ? 1 : Object.keys(row.at).length)
      return isWhole ? linesOf(found) : before.filter((line) => line.startsWith(key))
    })
    const filled = readme.replace(section[0], () => `${section[1]}\n${[head, ...lines].join("\n")}\n\n${section[3]}`)
    await expect(filled).toMatchFileSnapshot(path)
  })
})
