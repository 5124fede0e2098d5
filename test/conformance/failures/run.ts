/** Causes a row, and writes down what was seen. */
import { Effect, Fiber, Layer, Schedule, type Scope } from "effect"
import { Diagnosis } from "effect-lifecycle/lifecycle"
import type { SqlClient } from "effect/sql"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { closedPort, rawUpstream } from "../../gateway/harness.ts"
import { pgTest } from "../../postgres.ts"
import { application } from "./application.ts"
import { evidenceOf, type Outcome, type Place, send } from "./client.ts"
import { type Door, type DoorName, gateway, nginx } from "./doors.ts"
import type { Behind, Expected, Logger, ServerRow } from "./row.ts"

interface Backend {
  readonly port: number
  readonly lines: ReadonlyArray<string>
}

/** A line of an access or error log of ours, or of nginx's access log. */
export interface Line {
  readonly who: Logger
  readonly requestId: string | undefined
  readonly path: string | undefined
  readonly status: number | undefined
  readonly stage: string | undefined
  readonly text: string
}

export interface Result {
  readonly outcome: Outcome
  readonly requestId: string | undefined
  /** What the logs hold of this request. */
  readonly lines: ReadonlyArray<Line>
  /** The lines of nginx's error log that are about it, without time, process and addresses. */
  readonly errors: ReadonlyArray<string>
  /** Everything that any log holds. */
  readonly ours: string
  readonly nginxErrors: string
  readonly diagnosis: Diagnosis.Diagnosis
  readonly withLog: Diagnosis.Diagnosis | undefined
}

const unlogged = (port: number): Backend => ({ port, lines: [] })

/** A pool of one connection. */
const database: Layer.Layer<SqlClient.SqlClient> = Layer.orDie(pgTest({ client: { maxConnections: 1 } }))

const worker: Effect.Effect<Backend, never, Scope.Scope> = Effect.gen(function*() {
  const file = fileURLToPath(new URL("worker.child.ts", import.meta.url))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--conditions=lifecycle-source", "--disable-warning=ExperimentalWarning", file], {
        stdio: ["ignore", "pipe", "inherit"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const lines: Array<string> = []
  const port = yield* Effect.callback<number>((resume) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.split("\n").filter((line) => line !== "")) {
        if (/^\d+$/.test(line)) resume(Effect.succeed(Number(line)))
        else lines.push(line)
      }
    })
  })
  return { port, lines }
})

const backend = (behind: Behind): Effect.Effect<Backend, never, Scope.Scope> => {
  switch (behind) {
    case "application":
      return application()
    case "database":
      return application({ database })
    case "frugal":
      return application({ quota: 1 })
    case "small":
      return application({ permits: 1 })
    case "worker":
      return worker
    case "closed":
      return Effect.map(closedPort, unlogged)
    case "silent":
      return Effect.map(rawUpstream(() => {}), ({ port }) => unlogged(port))
    case "noise":
      return Effect.map(
        rawUpstream((socket) => socket.once("data", () => socket.end("SSH-2.0-OpenSSH_9.2\r\n"))),
        ({ port }) => unlogged(port)
      )
  }
}

const parse = (who: Logger) => (text: string): Line => {
  const line = JSON.parse(text) as Record<string, unknown>
  const read = (name: string) => typeof line[name] === "string" ? line[name] : undefined
  return {
    who,
    requestId: read("request_id"),
    path: read("path"),
    status: line["status"] === undefined ? undefined : Number(line["status"]),
    stage: read("stage"),
    text
  }
}

/** `2026/11/21 10:00:00 [error] 31#31: *9 words, client: unix:, server: ...` */
const words = (line: string): string | undefined =>
  /^\S+ \S+ \[\w+\] \d+#\d+: \*\d+ (?:\w+\(\) reported that )?(.*?)(?:, client: .*)?$/.exec(line)?.[1]
    ?.replace(/^open\(\) ".*\/www/, "open() \".../www")
    .replace(/a{20,}\.*/, "aaaa...")
    .replace(/\/again\/[0-9a-f]{32}/, "/again/...")

/** Nginx notes a connection that its client has closed, and a body that it keeps in a file; neither is a failure. */
const isNoise = (text: string): boolean =>
  /^client .* closed keepalive connection|while waiting for request|^a client request body is buffered/.test(text)

const open = (
  row: ServerRow,
  at: DoorName | "direct",
  backends: ReadonlyArray<Backend>
): Effect.Effect<Door, never, Scope.Scope> => {
  const targets = backends.map(({ port }) => port)
  if (at === "gateway") return gateway(targets, row.gatewayOptions ?? {})
  if (at === "nginx") return nginx(targets, row.nginxOptions ?? {})
  const place: Place = { port: targets[0] ?? 0 }
  return Effect.succeed({ place, access: () => [], errors: () => [] })
}

export const run = (
  row: ServerRow,
  at: DoorName | "direct",
  expected: Expected
): Effect.Effect<Result, never, Scope.Scope> =>
  Effect.gen(function*() {
    const backends = yield* Effect.forEach(row.behind, backend)
    const { access, errors, place } = yield* open(row, at, backends)
    if (row.before !== undefined) yield* send(place, row.before)
    const beside = row.beside === undefined ? undefined : yield* Effect.forkChild(send(place, row.beside))
    if (beside !== undefined) yield* Effect.sleep("150 millis")
    const before = new Set(errors())

    const logger = at === "direct" ? "application" : at
    const all = (): ReadonlyArray<Line> => [
      ...(at === "direct" ? [] : access().map(parse(at))),
      ...backends.flatMap(({ lines }) => lines.map(parse("application")))
    ]
    const known = new Set(all().map(({ requestId }) => requestId))
    const outcome = yield* row.leavesAfterMillis === undefined
      ? send(place, row.request)
      : send(place, row.request).pipe(
        Effect.timeoutOrElse({
          duration: row.leavesAfterMillis,
          orElse: () => Effect.succeed<Outcome>({ _tag: "Failed", code: "-", error: new Error(), status: undefined })
        })
      )
    const errorLines = () => errors().filter((line) => !before.has(line) && !isNoise(words(line) ?? ""))
    const idOf = () =>
      outcome._tag === "Answered"
        ? outcome.headers["x-request-id"]
        : all().find(({ requestId, who }) => who === logger && !known.has(requestId))?.requestId
    const mine = () => all().filter(({ requestId }) => requestId !== undefined && requestId === idOf())
    // A line is written when its request has ended, a moment after the client has its answer.
    yield* Effect.suspend(() =>
      Object.entries(expected.lines).every(([who, status]) =>
          mine().some((line) => line.who === who && line.status === status)
        )
        ? Effect.void
        : Effect.fail("not yet")
    ).pipe(Effect.retry({ times: 150, schedule: Schedule.spaced("20 millis") }), Effect.ignore)
    const found = errorLines()
    const log = found.join("\n")
    if (beside !== undefined) yield* Fiber.interrupt(beside)
    return {
      outcome,
      requestId: idOf(),
      lines: mine(),
      errors: [...new Set(found.flatMap((line) => words(line) ?? []))],
      ours: [...access(), ...backends.flatMap(({ lines }) => lines)].join("\n"),
      nginxErrors: errors().join("\n"),
      diagnosis: Diagnosis.diagnose(evidenceOf(outcome)),
      withLog: log === "" ? undefined : Diagnosis.diagnose(evidenceOf(outcome, log))
    }
  })
