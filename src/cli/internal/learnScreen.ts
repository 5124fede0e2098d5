/** The watch screen as text: a pure function of what is known. */
import { basename } from "node:path"
import type { Exercise } from "../../workbook/Catalogue.ts"
import { maximum } from "../../workbook/Catalogue.ts"
import { saysWithheld } from "../../workbook/internal/judge.ts"
import { type Entry, hintsUsed, type Status, type Summary } from "../../workbook/Progress.ts"
import type { TaskVerdict, Verdict } from "../../workbook/Verdict.ts"
import type { Hint } from "./learnHints.ts"
import { bar, block, cut, ends, fit, type Look, paint, printedLines, type Tone, widthOf, wrap } from "./learnText.ts"

/** What is shown instead of, or below, the verdict. */
export type Panel =
  | { readonly _tag: "None" }
  | { readonly _tag: "Hint"; readonly hint: Hint }
  | {
    readonly _tag: "Pages"
    readonly title: string
    readonly lines: ReadonlyArray<string>
    readonly top: number
    /** A step of a path to read; `n` leads on from it. */
    readonly reading?: boolean
  }
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
  readonly status: Status
  readonly stale: boolean
  readonly stretch: boolean
}

/** Everything that the screen shows. */
export interface ScreenState {
  readonly exercise: Exercise
  /** The learner's file as it is shown. */
  readonly file: string
  /** The lesson of the exercise as it is shown; absent where the course has none. */
  readonly lesson: string | undefined
  readonly entry: Entry
  readonly summary: Summary
  readonly hints: number
  /** Whether there are solutions to look at. */
  readonly solutions: boolean
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

type Mark = "passed" | "failed" | "open" | "waiting"

const marks: Readonly<Record<Mark, readonly [string, Tone]>> = {
  passed: ["✓", "good"],
  failed: ["✗", "bad"],
  open: ["○", "dim"],
  waiting: ["·", "dim"]
}

/** A symbol for the eye; the word for it always stands in the same line. */
const symbol = (look: Look, kind: Mark): string => {
  const [sign, tone] = marks[kind]
  return paint(look, tone, sign)
}

const word = ({ words }: Look, kind: Mark): string => kind === "waiting" ? words.notRun : words[kind]

/** How a task went and what it is worth, at the end of its line. */
const outcome = (look: Look, kind: Mark, task: TaskVerdict): string => {
  const { words } = look
  if (kind === "waiting" || kind === "open") return word(look, kind)
  const worth = task.points === 0 ? words.guard : words.of(task.passed ? task.points : 0, task.points)
  return `${word(look, kind)}, ${worth}`
}

const at = (verdict: Verdict, line: number | undefined): string =>
  line === undefined ? "" : ` (${basename(verdict.file)}:${line})`

/** A text behind an indent, with its place at the end of the last line. */
const said = (look: Look, text: string, indent: number): Array<string> => block(text, indent, look.columns)

const taskLines = (verdict: Verdict, task: TaskVerdict, look: Look): Array<string> => {
  const { words } = look
  const did = verdict.problem === undefined || task.passed || verdict.outcome === "failed"
  const kind: Mark = task.passed
    ? "passed"
    : task.open === true
    ? "open"
    : task.message === "This task did not run." || !did
    ? "waiting"
    : "failed"
  const why = kind === "failed"
    ? said(look, `${task.message ?? ""}${at(verdict, task.line)}`, look.plain ? 2 : 6)
    : []
  if (look.plain) {
    const worth = task.points === 0 ? words.guard : words.ofPoints(task.passed ? task.points : 0, task.points)
    return [...wrap(`${word(look, kind)} ${task.id}: ${task.title} (${worth})`, look.columns), ...why]
  }
  const right = outcome(look, kind, task)
  const [title = "", ...more] = wrap(task.title, Math.max(20, look.columns - 8 - widthOf(right)))
  return [
    ends(` ${symbol(look, kind)} ${task.id}  ${title}`, right, look.columns),
    ...more.map((line) => `      ${line}`),
    ...why
  ]
}

/** A long error of the compiler: how it begins, and the end, where it says what it comes down to. */
const gist = (lines: ReadonlyArray<string>, look: Look): ReadonlyArray<string> =>
  lines.length <= 8
    ? lines
    : [
      ...lines.slice(0, 3),
      ...said(look, look.words.moreOfError(lines.length - 6), look.plain ? 2 : 6),
      ...lines.slice(-3)
    ]

const typeLines = ({ types }: Verdict, look: Look): Array<string> => {
  const { words } = look
  if (types.status === "notChecked") {
    return types.reason === undefined || types.reason === "Nobody asked for it."
      ? [look.plain ? words.typesNotChecked : ` ${symbol(look, "waiting")} ${words.typesNotChecked}`]
      : said(look, words.typesNotCheckedBecause(types.reason), look.plain ? 0 : 3)
  }
  const kind = types.status
  const errors = kind === "passed" ? "" : words.typeErrors(types.errors.length)
  const shown = types.errors.slice(0, 3)
  const more = types.errors.length - shown.length
  const indent = look.plain ? 2 : 6
  const right = [words[kind], errors, words.took((types.durationMillis / 1000).toFixed(1))].filter((one) => one !== "")
  return [
    look.plain
      ? `${words[kind]}: ${words.types}${errors === "" ? "" : `, ${errors}`}`
      : ends(` ${symbol(look, kind)} ${words.types}`, right.join(", "), look.columns),
    ...shown.flatMap((error) => gist(said(look, words.typeError(error.line, error.message, error.code), indent), look)),
    ...more > 0 ? said(look, words.moreErrors(more), indent) : []
  ]
}

const outputLines = ({ output }: Verdict, look: Look): Array<string> => {
  const lines = printedLines(output)
  if (lines.join("").trim() === "") return []
  const shown = lines.slice(-8)
  const head = lines.length > shown.length
    ? look.words.yourLastOutput(shown.length, lines.length)
    : look.words.yourOutput
  const indent = look.plain ? "" : " "
  return ["", indent + head, ...shown.map((line) => cut(`${indent}  ${line}`, look.columns))]
}

const solvedLine = (state: ScreenState, verdict: Verdict, look: Look): Array<string> => {
  const { words } = look
  const used = hintsUsed(state.entry)
  const how = state.entry.seen ? words.solutionSeen : used === 0 ? words.noHintsUsed : words.hints(used)
  const way = !state.solutions
    ? []
    : [state.exercise.alternatives.length > 0 ? words.compareOther : words.compare]
  const on = state.next === undefined ? words.wasLast : words.keyFor(state.next)
  return wrap([words.solved(verdict.points, verdict.maximum, how), ...way, on].join(" "), look.columns - 1)
    .map((line) => (look.plain ? "" : " ") + paint(look, "good", line))
}

/** Why tasks that passed have no points: something that was right is broken. */
const withheldLines = (verdict: Verdict, look: Look): Array<string> => {
  const { points, tasks, types } = verdict
  const earned = tasks.reduce((sum, task) => sum + (task.passed ? task.points : 0), 0)
  const guards = tasks.filter((task) => task.points === 0 && !task.passed && task.open !== true).map(({ id }) => id)
  return points > 0 || earned === 0 || guards.length === 0 || types.status === "failed" || saysWithheld(verdict)
    ? []
    : said(look, look.words.withheld(earned, guards), look.plain ? 0 : 1)
}

/** What a check found, line by line. */
export const verdictLines = (verdict: Verdict, look: Look): Array<string> => [
  ...verdict.problem === undefined
    ? []
    : [
      ...said(
        look,
        look.words.problem(`${verdict.problem}${at(verdict, verdict.line)}`),
        look.plain ? 0 : 1
      ).map((line) => paint(look, "bad", line)),
      ""
    ],
  // What does not type-check often explains what follows, and must not be what a low window leaves out.
  ...verdict.types.status === "failed" ? typeLines(verdict, look) : [],
  ...verdict.tasks.flatMap((task) => taskLines(verdict, task, look)),
  ...verdict.types.status === "failed" ? [] : typeLines(verdict, look),
  ...withheldLines(verdict, look),
  ...verdict.ignored.length === 0
    ? []
    : said(look, look.words.ownTests(verdict.ignored.length), look.plain ? 0 : 1),
  ...outputLines(verdict, look)
]

/** The first line of an exercise. */
export const heading = (exercise: Exercise, look: Look): string => {
  const { id, kind, level, title } = exercise.manifest
  const right = look.words.about(level, maximum(exercise.manifest), look.words.kinds[kind])
  return look.plain
    ? `${id} ${title} (${right})`
    : ends(` ${paint(look, "strong", cut(`${id} ${title}`, look.columns - widthOf(right) - 3))}`, right, look.columns)
}

const chapterSum = ({ exercise, summary }: ScreenState) => summary.byChapter.get(exercise.chapter)

/** Where the learner is: the chapter, the course, the path. */
export const progressLines = (state: ScreenState, look: Look): Array<string> => {
  const { path, summary } = state
  const chapter = chapterSum(state)
  const number = Number(state.exercise.chapter.slice(0, 2))
  const { words } = look
  if (look.plain) {
    return [
      ...chapter === undefined ? [] : [words.chapterIs(number, chapter.solved, chapter.exercises)],
      words.progressIs(summary.solved, summary.exercises, summary.points, summary.maximum),
      ...path === undefined ? [] : [`${path.title}: ${words.step(path.step, path.of)}`]
    ]
  }
  const part = chapter === undefined
    ? ""
    : `${words.chapterBar(number)} ${bar(chapter.solved, chapter.exercises, 8)} ${
      words.of(chapter.solved, chapter.exercises)
    }   `
  const whole = `${words.courseBar} ${bar(summary.solved, summary.exercises, 12)} ${
    words.of(summary.solved, summary.exercises)
  }, ${words.ofPoints(summary.points, summary.maximum)}`
  return [
    ...part === "" || widthOf(part + whole) < look.columns ? [` ${part}${whole}`] : [` ${part.trimEnd()}`, ` ${whole}`],
    ...path === undefined ? [] : [` ${path.title} ${bar(path.step - 1, path.of, 12)} ${words.step(path.step, path.of)}`]
  ]
}

const keysOf = (state: ScreenState, { words }: Look): ReadonlyArray<string> => {
  switch (state.panel._tag) {
    case "List":
      return words.keysList
    case "Pages":
      return state.panel.reading === true ? words.keysReading : words.keysPages
    case "Ask":
      return words.keysAsk
    case "None":
    case "Hint": {
      return [
        state.entry.solved ? words.keyNext : words.keyNextLater,
        state.hints === 0 ? words.keyHint : words.keyHintOf(hintsUsed(state.entry), state.hints),
        ...state.solutions ? [words.keySolution] : [],
        ...words.keysAlways
      ]
    }
  }
}

/** A key and its word stay on one line. */
const unbroken = (text: string): string => text.replaceAll(" ", "\u00a0")

const keyLines = (state: ScreenState, look: Look): Array<string> =>
  wrap(
    `${look.plain ? `${look.words.keys} ` : ""}${
      keysOf(state, look).map(unbroken).join(look.plain ? ", " : "\u00a0· ")
    }`,
    look.columns - 1
  )
    .map((line) => line.replaceAll("\u00a0", " "))
    .map((line) => look.plain ? line : ` ${paint(look, "dim", line)}`)

const rowMarks = { new: "waiting", open: "open", solved: "passed" } as const

/** One exercise as a line of a list. */
export const rowLine = (row: Row, look: Look, chosen = false): string => {
  const { words } = look
  const status = row.stale ? words.stale : words.statuses[row.status]
  const level = row.stretch ? words.stretch : words.level(row.level)
  if (look.plain) {
    return `${chosen ? "> " : ""}${row.id} ${row.title}: ${status}, ${level}, ${
      words.ofPoints(row.points, row.maximum)
    }`
  }
  const sign = row.status === "started" ? "…" : symbol(look, rowMarks[row.status])
  const right = `${status}  ${level.padEnd(7)} ${`${row.points}/${row.maximum}`.padStart(5)}`
  const left = `${chosen ? ">" : " "}${sign} ${row.id.padEnd(5)} ${cut(row.title, look.columns - widthOf(right) - 12)}`
  const line = ends(left, right, look.columns)
  return chosen ? paint(look, "strong", line) : line
}

const shownRows = (panel: Extract<Panel, { _tag: "List" }>): ReadonlyArray<Row> =>
  panel.pendingOnly ? panel.rows.filter((row) => row.status !== "solved") : panel.rows

const listLines = (panel: Extract<Panel, { _tag: "List" }>, look: Look, room: number): Array<string> => {
  const rows = shownRows(panel)
  const top = Math.max(0, Math.min(panel.at - Math.floor(room / 2), rows.length - room))
  const { words } = look
  const indent = look.plain ? "" : " "
  const head = indent + words.listed(rows.length, panel.pendingOnly)
  const chosen = rows[panel.at]
  if (chosen === undefined) return [head, indent + words.allSolved]
  // Read aloud, a list that is said again for every key is noise: the chosen line alone is enough.
  const lines = rows.map((row, index) => rowLine(row, look, index === panel.at))
  return [
    `${head}; ${words.chosen(chosen.id)}`,
    ...look.plain && panel.at > 0 ? lines.slice(panel.at, panel.at + 1) : lines.slice(top, top + room)
  ]
}

/** The exercise that is chosen in a list. */
export const chosenIn = (panel: Extract<Panel, { _tag: "List" }>): Row | undefined => shownRows(panel)[panel.at]

const panelLines = (state: ScreenState, look: Look): Array<string> => {
  const { panel } = state
  const indent = look.plain ? 0 : 1
  if (panel._tag === "Hint") {
    const { of, task, text, tier } = panel.hint
    return ["", ...said(look, look.words.hintFor(task, tier, of, text.replaceAll("`", "")), indent)]
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
  if (checking) return [indent + look.words.checking(exercise.manifest.id)]
  if (verdict === undefined) return [indent + look.words.notChecked]
  const took = look.words.checkedIn(
    look.words.took((verdict.durationMillis / 1000).toFixed(1)),
    state.checkedAt,
    entry.attempts
  )
  const first = exercise.manifest.kind === "predict" ? entry.predictions.find((one) => one.result)?.result : undefined
  return [
    ...verdictLines(verdict, look),
    "",
    ...first === undefined ? [] : [indent + look.words.firstRight(first.right, first.of)],
    ...verdict.passed ? solvedLine(state, verdict, look) : [],
    ...look.plain && !verdict.passed ? [look.words.notPassed(verdict.points, verdict.maximum)] : [],
    indent + paint(look, "dim", took)
  ]
}

/** The whole screen, line by line; at most `rows` lines where it is drawn over and over. */
export const render = (state: ScreenState, look: Look, rows = Infinity): ReadonlyArray<string> => {
  const { panel } = state
  const below = footer(state, look)
  const indent = look.plain ? "" : " "
  const head = [
    heading(state.exercise, look),
    indent + cut(state.file, look.columns - 1),
    ...state.lesson === undefined ? [] : [indent + cut(look.words.lessonAt(state.lesson), look.columns - 1)],
    ""
  ]
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
  return fit([...head, ...body(state, look), ...extra, ...below], rows, extra.length + below.length, look.words)
}
