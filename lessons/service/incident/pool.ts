/** The pool that ran dry: the incident of lesson 10 as it was, and beside it the same afternoon with the cure. */
import { NodeHttpClient } from "@effect/platform-node"
import { Effect } from "effect"
import { Database } from "effect-lifecycle/testing"
import { paint, standard, table, type Terminal, wrap } from "../tour/terminal.ts"
import { rules } from "./alarms.ts"
import { silentFrom, slowFrom, victim, wellFrom } from "./customers.ts"
import { after, before } from "./orders.ts"
import { checks, type Figures, figures, logOf } from "./report.ts"
import { run, type Seen, type Tell } from "./run.ts"

/** True when everything was as the lesson says. */
export const incident = (options: { readonly json: boolean; readonly plain: boolean }) =>
  Effect.gen(function*() {
    const terminal = standard(options)
    const say = (text: string) => Effect.sync(() => options.json ? undefined : terminal.write(`${text}\n`))
    const tell = (name: string): Tell => (millis, event) =>
      options.json ? undefined : terminal.write(`  ${seconds(millis).padStart(6)}  ${name.padEnd(6)}  ${event}\n`)

    yield* say(introduction(terminal))
    const [was, is] = yield* Effect.all([run(before, tell("before")), run(after, tell("after"))], {
      concurrency: "unbounded"
    })
    const found = checks(was, is, wellFrom)
    const ok = found.every((check) => check.ok)
    if (options.json) {
      terminal.write(`${
        JSON.stringify({
          ok,
          before: { ...figures(was), alarms: was.changes },
          after: { ...figures(is), alarms: is.changes },
          log: logOf(was.log, victim.id),
          metrics: was.exposition,
          checks: found,
          rules: rules()
        })
      }\n`)
      return ok
    }
    yield* say(conclusion(terminal, was, is))
    for (const check of found) {
      const sign = check.ok ? paint(terminal, "good", "as expected") : paint(terminal, "bad", "NOT as expected")
      yield* say(`  ${sign}  ${check.expected} (${check.seen})`)
    }
    return ok
  }).pipe(Effect.scoped, Effect.provide([Database.layerServer(), NodeHttpClient.layerUndici]))

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

const text = (terminal: Terminal, ...paragraphs: ReadonlyArray<string>): string =>
  paragraphs.map((paragraph) => wrap(paragraph, terminal.width)).join("\n\n")

const introduction = (terminal: Terminal): string =>
  [
    paint(terminal, "bold", "The pool that ran dry"),
    "",
    text(
      terminal,
      "Two copies of orders run side by side, each on a real PostgreSQL with a pool of five connections. Ten customers a " +
        "second read their orders and seven place one. An order asks payments while its transaction is open. Payments is " +
        `slow from ${seconds(slowFrom)}, silent from ${seconds(silentFrom)}, and well again from ${seconds(wellFrom)}.`,
      "Before: a request waits ten seconds for a connection, and for payments as long as it takes. After: one second for a " +
        "connection, two for payments, and a breaker that leaves payments alone after three failures. It takes 13 seconds."
    ),
    ""
  ].join("\n")

const row = (name: string, of: Figures): ReadonlyArray<string> => [
  name,
  String(of.requests),
  String(of.ok),
  String(of.failed500),
  String(of.refused503),
  String(of.unanswered),
  seconds(of.p50Millis),
  seconds(of.p99Millis),
  seconds(of.longestWaitMillis),
  `${Math.round(of.poolUse * 100)} %`
]

const conclusion = (terminal: Terminal, was: Seen, is: Seen): string => {
  const head = ["", "requests", "ok", "500", "503", "no answer", "p50", "p99", "longest wait", "pool use"]
  const [one, other] = [figures(was), figures(is)]
  return [
    "",
    `The customer of order ${victim.id} writes a letter. These are the lines of that id:`,
    "",
    ...logOf(was.log, victim.id).map((line) => `  ${line}`),
    "",
    "The pool, as /metrics had it when most requests were in line:",
    "",
    ...was.exposition.map((line) => `  ${line}`),
    "",
    table([head, row("before", one), row("after", other)], "  "),
    "",
    text(
      terminal,
      `Before, five orders hold the five connections and wait for an answer that never comes. Everybody else stands in line ` +
        `for them, readers too, who need nothing from payments. Payments comes back, and it does not help: what was lost in ` +
        `the silence is not answered. The first 500 comes ten seconds after the pool is full; the alarms do not wait for it.`,
      `After, whoever finds no connection within a second is told 503 and Retry-After. Three orders that payments did not ` +
        `answer open the breaker: from then on an order is refused at once, holds no connection, and readers are served as ` +
        `ever. One probe a second finds out that payments is well. The pool was as full for a moment (${
          Math.round(other.poolUse * 100)
        } %), and it was not an outage. The alarm for 5xx rings here too: a 503 is a customer turned away.`,
      "Requests without an answer were in line when the run ended; their age counts as their time."
    ),
    ""
  ].join("\n")
}
