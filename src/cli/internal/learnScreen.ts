/** The watch screen as text: a pure function of what is known. */
import { basename } from "node:path"
import type { Exercise } from "../../workbook/Catalogue.ts"
import { maximum } from "../../workbook/Catalogue.ts"
import { type Entry, hintsUsed, type Summary } from "../../workbook/Progress.ts"
import type { TaskVerdict, Verdict } from "../../workbook/Verdict.ts"
import type { Hint } from "./learnHints.ts"
import { bar, block, cut, ends, fit, type Look, many, paint, type Tone, widthOf, wrap } from "./learnText.ts"

/** What is shown instead of, or below, the verdict. */
export type Panel =
  | { readonly _tag: "None" }
  | { readonly _tag: "Hint"; readonly hint: Hint }
  | { readonly _tag: "Pages"; readonly title: string; readonly lines: ReadonlyArray<string>; readonly top: number }
  | { readonly _tag: "List"; readonly rows: ReadonlyArray<Row>; readonly at: number; readonly pendingOnly: boolean }
  | { readonly _tag: "Ask"; readonly what: "reset" | "solution"; readonly question: string }

/** One exercise in a list. */
export interface Row {
  readonly id: string
  readonly title: string
  readonly chapter: string
  readonly level: number
  readonly points: number
  readonly maximum: number
  readonly status: "new" | "started" | "solved"
  readonly stale: boolean
  readonly stretch: boolean
}

/** Everything that the screen shows. */
export interface ScreenState {
  readonly exercise: Exercise
  /** The learner's file as it is shown. */
  readonly file: string
  readonly entry: Entry
  readonly summary: Summary
  readonly hints: number
  readonly checking: boolean
  readonly verdict: Verdict | undefined
  /** The time of day of the verdict. */
  readonly checkedAt: string
  /** The exercise that `n` leads to. */
  readonly next: string | undefined
  readonly notices: ReadonlyArray<string>
  readonly panel: Panel
  /** Where the learner is on a path. */
  readonly path: { readonly title: string; readonly step: number; readonly of: number } | undefined
}

const marks: Readonly<Record<"passed" | "failed" | "waiting", readonly [string, string, Tone]>> = {
  passed: ["✓", "passed:", "good"],
  failed: ["✗", "FAILED", "bad"],
  waiting: ["·", "waiting:", "dim"]
}

const mark = (look: Look, kind: keyof typeof marks): string => {
  const [symbol, word, tone] = marks[kind]
  return look.plain ? word : paint(look, tone, symbol)
}

const worth = (task: TaskVerdict): string =>
  task.points === 0 ? "guard" : `${task.passed ? task.points : 0} / ${task.points}`

const at = (verdict: Verdict, line: number | undefined): string =>
  line === undefined ? "" : ` (${basename(verdict.file)}:${line})`

/** A text behind an indent, with its place at the end of the last line. */
const said = (look: Look, text: string, indent: number): Array<string> => block(text, indent, look.columns)

const taskLines = (verdict: Verdict, task: TaskVerdict, look: Look): Array<string> => {
  const did = verdict.problem === undefined || task.passed || verdict.outcome === "failed"
  const kind = task.passed ? "passed" : task.message === "This task did not run." || !did ? "waiting" : "failed"
  if (look.plain) {
    const points = task.points === 0 ? "guard" : `${task.passed ? task.points : 0} of ${many(task.points, "point")}`
    const head = kind === "failed" ? `FAILED ${task.id}: ` : `${mark(look, kind)} ${task.id}: `
    return [
      ...wrap(`${head}${task.title} (${points})`, look.columns),
      ...kind === "failed" ? said(look, `${task.message ?? ""}${at(verdict, task.line)}`, 2) : []
    ]
  }
  const right = kind === "waiting" ? "not run" : worth(task)
  const title = cut(task.title, look.columns - 8 - widthOf(right))
  const left = ` ${mark(look, kind)} ${task.id}  ${title}`
  return [
    `${left}${" ".repeat(Math.max(1, look.columns - widthOf(left) - widthOf(right)))}${right}`,
    ...kind === "failed" ? said(look, `${task.message ?? ""}${at(verdict, task.line)}`, 6) : []
  ]
}

const typeLines = ({ types }: Verdict, look: Look): Array<string> => {
  if (types.status === "notChecked") {
    return types.reason === undefined || types.reason === "Nobody asked for it."
      ? [look.plain ? "types: not checked" : ` ${mark(look, "waiting")} types  not checked`]
      : said(look, `types not checked: ${types.reason}`, look.plain ? 0 : 3)
  }
  const took = `${(types.durationMillis / 1000).toFixed(1)} s`
  const kind = types.status
  const shown = types.errors.slice(0, 3)
  const more = types.errors.length - shown.length
  return [
    look.plain
      ? `${kind === "passed" ? "passed: types" : `FAILED types: ${many(types.errors.length, "error")}`}`
      : ends(` ${mark(look, kind)} types`, took, look.columns),
    ...shown.flatMap((error) =>
      said(look, `line ${error.line}: ${error.message} (${error.code})`, look.plain ? 2 : 6).slice(0, 6)
    ),
    ...more > 0 ? said(look, `and ${many(more, "more error", "more errors")}`, look.plain ? 2 : 6) : []
  ]
}

const outputLines = ({ output }: Verdict, look: Look): Array<string> => {
  const lines = output.trimEnd().split("\n")
  if (output.trim() === "") return []
  const shown = lines.slice(-8)
  const head = lines.length > shown.length ? `Your output (the last 8 of ${lines.length} lines):` : "Your output:"
  const indent = look.plain ? "" : " "
  return ["", indent + head, ...shown.map((line) => cut(`${indent}  ${line}`, look.columns))]
}

const solvedLine = (state: ScreenState, verdict: Verdict, look: Look): Array<string> => {
  const used = hintsUsed(state.entry)
  const how = state.entry.seen ? "solution seen" : used === 0 ? "no hints" : many(used, "hint")
  const way = state.exercise.alternatives.length > 0 ? "Compare with another way: s." : "Compare: s."
  const on = state.next === undefined ? "That was the last one." : `n for ${state.next}.`
  return wrap(`Solved: ${verdict.points} of ${many(verdict.maximum, "point")}, ${how}. ${way} ${on}`, look.columns - 1)
    .map((line) => (look.plain ? "" : " ") + paint(look, "good", line))
}

/** What a check found, line by line. */
export const verdictLines = (verdict: Verdict, look: Look): Array<string> => [
  ...verdict.problem === undefined
    ? []
    : [
      ...said(
        look,
        `${look.plain ? "problem: " : ""}${verdict.problem}${at(verdict, verdict.line)}`,
        look.plain ? 0 : 1
      )
        .map((line) => paint(look, "bad", line)),
      ""
    ],
  ...verdict.tasks.flatMap((task) => taskLines(verdict, task, look)),
  ...typeLines(verdict, look),
  ...verdict.ignored.length === 0
    ? []
    : said(look, `${many(verdict.ignored.length, "test")} of your own counted for nothing.`, look.plain ? 0 : 1),
  ...outputLines(verdict, look)
]

/** The first line of an exercise. */
export const heading = (exercise: Exercise, look: Look): string => {
  const { id, kind, level, tasks: _, title } = exercise.manifest
  const right = `level ${level}, ${many(maximum(exercise.manifest), "point")}, ${kind}`
  return look.plain
    ? `${id} ${title} (${right})`
    : ends(` ${paint(look, "strong", cut(`${id} ${title}`, look.columns - right.length - 3))}`, right, look.columns)
}

const chapterSum = ({ exercise, summary }: ScreenState) => summary.byChapter.get(exercise.chapter)

/** Where the learner is: the chapter, the course, the path. */
export const progressLines = (state: ScreenState, look: Look): Array<string> => {
  const { path, summary } = state
  const chapter = chapterSum(state)
  const number = Number(state.exercise.chapter.slice(0, 2))
  const points = `${summary.points} of ${many(summary.maximum, "point")}`
  if (look.plain) {
    return [
      ...chapter === undefined ? [] : [`chapter ${number}: ${chapter.solved} of ${chapter.exercises}`],
      `progress: ${summary.solved} of ${summary.exercises}, ${points}`,
      ...path === undefined ? [] : [`${path.title}: step ${path.step} of ${path.of}`]
    ]
  }
  const part = chapter === undefined
    ? ""
    : `Chapter ${number} ${bar(chapter.solved, chapter.exercises, 8)} ${chapter.solved} of ${chapter.exercises}   `
  const whole = `Course ${
    bar(summary.solved, summary.exercises, 12)
  } ${summary.solved} of ${summary.exercises}, ${points}`
  return [
    ...part === "" || widthOf(part + whole) < look.columns ? [` ${part}${whole}`] : [` ${part.trimEnd()}`, ` ${whole}`],
    ...path === undefined ? [] : [` ${path.title} ${bar(path.step - 1, path.of, 12)} step ${path.step} of ${path.of}`]
  ]
}

const keysOf = (state: ScreenState): ReadonlyArray<string> => {
  switch (state.panel._tag) {
    case "List":
      return ["up/down or j/k choose", "Enter open", "p only what is left", "l back", "q quit"]
    case "Pages":
      return ["up/down or j/k scroll", "space next page", "s back", "q quit"]
    case "Ask":
      return ["y yes", "any other key: no"]
    case "None":
    case "Hint": {
      const { solved } = state.entry
      return [
        solved ? "n next" : "n next (when it passes)",
        state.hints === 0 ? "h hint" : `h hint ${hintsUsed(state.entry)} of ${state.hints}`,
        "s solution",
        "l list",
        "r run",
        "x reset",
        "e edit",
        "q quit"
      ]
    }
  }
}

/** A key and its word stay on one line. */
const unbroken = (text: string): string => text.replaceAll(" ", "\u00a0")

const keyLines = (state: ScreenState, look: Look): Array<string> =>
  wrap(
    `${look.plain ? "keys: " : ""}${keysOf(state).map(unbroken).join(look.plain ? ", " : "\u00a0· ")}`,
    look.columns - 1
  )
    .map((line) => line.replaceAll("\u00a0", " "))
    .map((line) => look.plain ? line : ` ${paint(look, "dim", line)}`)

const statusWord = (row: Row): string => row.stale ? "solved, stub has changed" : row.status

/** One exercise as a line of a list. */
export const rowLine = (row: Row, look: Look, chosen = false): string => {
  const points = `${row.points}/${row.maximum}`
  const kind = row.status === "solved" ? "passed" : row.status === "started" ? "failed" : "waiting"
  const level = row.stretch ? "stretch" : `level ${row.level}`
  if (look.plain) {
    return `${chosen ? "> " : ""}${row.id} ${row.title}: ${statusWord(row)}, ${level}, ${row.points} of ${
      many(row.maximum, "point")
    }`
  }
  const symbol = row.status === "started" ? "…" : mark(look, kind)
  const right = `${statusWord(row)}  ${level.padEnd(7)} ${points.padStart(5)}`
  const left = `${chosen ? ">" : " "}${symbol} ${row.id.padEnd(5)} ${
    cut(row.title, look.columns - widthOf(right) - 12)
  }`
  const line = ends(left, right, look.columns)
  return chosen ? paint(look, "strong", line) : line
}

const shownRows = (panel: Extract<Panel, { _tag: "List" }>): ReadonlyArray<Row> =>
  panel.pendingOnly ? panel.rows.filter((row) => row.status !== "solved") : panel.rows

const listLines = (panel: Extract<Panel, { _tag: "List" }>, look: Look, room: number): Array<string> => {
  const rows = shownRows(panel)
  const top = Math.max(0, Math.min(panel.at - Math.floor(room / 2), rows.length - room))
  const head = `${look.plain ? "" : " "}${many(rows.length, "exercise")}${panel.pendingOnly ? " left to do" : ""}`
  if (rows.length === 0) return [head, `${look.plain ? "" : " "}Everything is solved.`]
  // Read aloud, a list that is said again for every key is noise: the chosen line alone is enough.
  const lines = rows.map((row, index) => rowLine(row, look, index === panel.at))
  return [head, ...look.plain && panel.at > 0 ? lines.slice(panel.at, panel.at + 1) : lines.slice(top, top + room)]
}

/** The exercise that is chosen in a list. */
export const chosenIn = (panel: Extract<Panel, { _tag: "List" }>): Row | undefined => shownRows(panel)[panel.at]

const panelLines = (state: ScreenState, look: Look): Array<string> => {
  const { panel } = state
  const indent = look.plain ? 0 : 1
  if (panel._tag === "Hint") {
    const { of, task, text, tier } = panel.hint
    return ["", ...said(look, `Hint ${tier} of ${of} for ${task}: ${text.replaceAll("`", "")}`, indent)]
  }
  return panel._tag === "Ask" ? ["", ...said(look, panel.question, indent)] : []
}

const footer = (
  state: ScreenState,
  look: Look
): Array<string> => ["", ...progressLines(state, look), ...keyLines(state, look)]

const body = (state: ScreenState, look: Look): Array<string> => {
  const { checking, entry, exercise, verdict } = state
  const indent = look.plain ? "" : " "
  if (checking) return [`${indent}checking ${exercise.manifest.id} …`]
  if (verdict === undefined) return [`${indent}not checked yet`]
  const took = `checked in ${
    (verdict.durationMillis / 1000).toFixed(1)
  } s, ${state.checkedAt}, attempt ${entry.attempts}`
  return [
    ...verdictLines(verdict, look),
    "",
    ...verdict.passed ? solvedLine(state, verdict, look) : [],
    ...look.plain && !verdict.passed ? [`not passed yet: ${verdict.points} of ${many(verdict.maximum, "point")}`] : [],
    indent + paint(look, "dim", took)
  ]
}

/** The whole screen, line by line; at most `rows` lines where it is drawn over and over. */
export const render = (state: ScreenState, look: Look, rows = Infinity): ReadonlyArray<string> => {
  const { panel } = state
  const below = footer(state, look)
  const head = [heading(state.exercise, look), `${look.plain ? "" : " "}${cut(state.file, look.columns - 1)}`, ""]
  const notices = state.notices.flatMap((notice) => said(look, notice, look.plain ? 0 : 1))
  if (panel._tag === "List") {
    return [...listLines(panel, look, Math.max(3, Math.min(rows, 60) - below.length - 1)), ...below]
  }
  if (panel._tag === "Pages") {
    const room = rows === Infinity ? panel.lines.length : Math.max(3, rows - below.length - 2)
    return [
      `${look.plain ? "" : " "}${panel.title}`,
      ...panel.lines.slice(panel.top, panel.top + room).map((line) => cut(line, look.columns)),
      ...below
    ]
  }
  const extra = [...panelLines(state, look), ...notices.length > 0 ? ["", ...notices] : []]
  return fit([...head, ...body(state, look), ...extra, ...below], rows, extra.length + below.length)
}
