/** The table of what was seen, in the README of `lifecycle`. */
import type { Diagnosis } from "effect-lifecycle/lifecycle"
import type { Outcome } from "./client.ts"
import type { Line, Result } from "./run.ts"

/** One row as it was seen in one place. */
export interface Seen {
  readonly failure: string
  readonly fault: string
  readonly at: string
  readonly client: string
  readonly diagnosis: Diagnosis.Diagnosis
  readonly withLog: Diagnosis.Diagnosis | undefined
  readonly logs: ReadonlyArray<string>
}

const form = (type: string | undefined): string => type?.split(";")[0] ?? "no body"

const client = (outcome: Outcome): string =>
  outcome._tag === "Answered"
    ? `${outcome.status} ${form(outcome.headers["content-type"])}`
    : outcome.status === undefined
    ? outcome.code === "-" ? "nothing: it has left" : `no answer: ${outcome.code}`
    : `${outcome.status}, then ${outcome.code}`

const logLine = ({ status, text, who }: Line): string => {
  const line = JSON.parse(text) as Record<string, unknown>
  if (line["message"] === "defect") {
    const [cause = ""] = String(line["cause"]).split("\n")
    return `${who}: ERROR in ${line["stage"]}: ${cause}`
  }
  const path = String(line["path"]).replace(/a{20,}/, "aaaa...").replace(/[0-9a-f]{32}/, "...")
  const fields = line["outcome"] === "failed" ? ["stage", "outcome", "user_id"] : ["stage", "user_id"]
  const extra = fields.flatMap((name) => line[name] === undefined ? [] : `${name}=${line[name]}`)
  return `${who}: ${[line["method"], path, status, ...extra].filter((part) => part !== "").join(" ")}`
}

export const seenThrough = (failure: string, fault: string, at: string, result: Result): Seen => ({
  failure,
  fault,
  at,
  client: client(result.outcome),
  diagnosis: result.diagnosis,
  withLog: result.withLog,
  logs: [
    ...result.lines.map(logLine).toSorted(),
    ...result.errors.map((line) => `nginx error: ${line}`)
  ]
})

const cell = (text: string): string => text.replaceAll("|", "\\|")

const named = (diagnosis: Diagnosis.Diagnosis): string =>
  diagnosis.verdict === "undecided"
    ? `undecided: ${diagnosis.ranked.map(({ stage }) => stage).join(" or ") || "nothing is known"}`
    : `${diagnosis.verdict} (${diagnosis.ranked[0]?.confidence})`

const evidence = (diagnosis: Diagnosis.Diagnosis): string => diagnosis.ranked[0]?.evidence ?? "-"

const headings = ["Failure", "Fault", "At", "The client sees", "Stage named", "Evidence", "In the logs, under its id"]

export const head = [headings, headings.map(() => "---")].map((row) => `| ${row.join(" | ")} |`).join("\n")

/** What tells the lines of a row from all others. */
export const keyOf = ({ failure, fault }: Pick<Seen, "failure" | "fault">): string =>
  `| \`${failure}\` | ${cell(fault)} |`

const cells = (seen: Seen): string => {
  const { diagnosis, withLog } = seen
  const moved = withLog !== undefined && withLog.verdict !== diagnosis.verdict ? [withLog] : []
  return [
    cell(seen.client),
    [named(diagnosis), ...moved.map((diagnosis) => `with nginx's log: ${named(diagnosis)}`)].join("<br>"),
    cell([diagnosis, ...moved].map(evidence).join("<br>"))
  ].join(" | ")
}

const logsOf = (lines: ReadonlyArray<string>): string =>
  lines.map((line) => `\`${cell(line)}\``).join("<br>") || "nothing"

/** One line for each place, or one for both doors where they look the same. */
export const linesOf = (row: ReadonlyArray<Seen>): ReadonlyArray<string> => {
  const [first, second] = row
  if (first === undefined) return []
  const sameLogs = (seen: Seen) => seen.logs.map((line) => line.replace(/^(?:gateway|nginx):/, "gateway, nginx:"))
  const merged = second !== undefined && cells(first) === cells(second) &&
    sameLogs(first).join() === sameLogs(second).join()
  return merged
    ? [`${keyOf(first)} ${first.at}, ${second.at} | ${cells(first)} | ${logsOf(sameLogs(first))} |`]
    : row.map((seen) => `${keyOf(seen)} ${seen.at} | ${cells(seen)} | ${logsOf(seen.logs)} |`)
}
