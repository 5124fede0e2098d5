/** A report in the formats of other tools. Pure: from reports to text, or to the data of a JSON file. */
import type { ExerciseReport, Report, TaskReport } from "../Report.ts"

// What XML 1.0 cannot hold, not even escaped. Half a surrogate pair is among it, so the text is made well-formed first.
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const notXml = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g

const xml = (text: string): string =>
  text.toWellFormed().replaceAll(notXml, "\uFFFD").replaceAll(
    /[&<>"'\n\r\t]/g,
    (char) =>
      ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;", "'": "&apos;" })[char] ?? `&#${char.charCodeAt(0)};`
  )

const attributes = (values: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(values).flatMap(([name, value]) => value === undefined ? [] : [` ${name}="${xml(String(value))}"`])
    .join("")

const property = (name: string, value: string | number): string => `<property${attributes({ name, value })}/>`

const scored = (points: number): number => Math.round(points * 1000) / 1000

const nameOf = (exercise: ExerciseReport, task: TaskReport): string => `${exercise.id} ${task.id}: ${task.title}`

/** What is said of a task that passed while its points are withheld. */
export const withheld =
  "The tests pass. The points count once the types hold, every guard passes and nothing fails outside of the tests."

/** Why a task counts nothing, in words. */
const reasonOf = (exercise: ExerciseReport, task: TaskReport): string => {
  if (task.status === "withheld") return withheld
  const why = task.message ?? "This task failed."
  return exercise.problem === undefined || why !== "This task did not run." ? why : `${why} ${exercise.problem}`
}

const typeLines = (exercise: ExerciseReport): ReadonlyArray<string> =>
  exercise.typeErrors.map(({ code, line, message }) => `line ${line}: ${code} ${message}`)

const junitCase = (exercise: ExerciseReport, task: TaskReport): ReadonlyArray<string> => [
  `    <testcase${
    attributes({ name: `${task.id}: ${task.title}`, classname: exercise.id, file: exercise.file, line: task.line })
  }>`,
  `      <properties>${property("task", task.id)}${property("points", task.points)}${
    property("max", task.max)
  }</properties>`,
  ...task.status === "passed"
    ? []
    : task.status === "open"
    ? [`      <skipped${attributes({ message: reasonOf(exercise, task) })}/>`]
    : [
      `      <failure${attributes({ type: task.status, message: reasonOf(exercise, task).split("\n")[0] })}>${
        xml(reasonOf(exercise, task))
      }</failure>`
    ],
  "    </testcase>"
]

const junitSuite = (report: Report, exercise: ExerciseReport): ReadonlyArray<string> => {
  const learner = report.learner === undefined ? "" : `${report.learner} `
  const skipped = exercise.tasks.filter((task) => task.status === "open").length
  const failures = exercise.tasks.filter((task) => task.status !== "passed").length - skipped
  const time = (exercise.durationMs / 1000).toFixed(3)
  const properties: ReadonlyArray<readonly [string, string | number | undefined]> = [
    ["learner", report.learner],
    ["level", exercise.level],
    ["status", exercise.status],
    ["points", exercise.points],
    ["max", exercise.max],
    ["weight", exercise.weight],
    ["types", exercise.types],
    ["hintsUsed", exercise.hintsUsed]
  ]
  const errors = [
    ...exercise.problem === undefined ? [] : [exercise.problem],
    ...exercise.notices ?? [],
    ...typeLines(exercise)
  ]
  return [
    `  <testsuite${
      attributes({
        name: `${learner}${exercise.id} ${exercise.title}`,
        tests: exercise.tasks.length,
        failures,
        errors: 0,
        skipped,
        time
      })
    }>`,
    `    <properties>${
      properties.map(([name, value]) => value === undefined ? "" : property(name, value)).join("")
    }</properties>`,
    ...exercise.tasks.flatMap((task) => junitCase(exercise, task)),
    ...exercise.output === "" ? [] : [`    <system-out>${xml(exercise.output)}</system-out>`],
    ...errors.length === 0 ? [] : [`    <system-err>${xml(errors.join("\n"))}</system-err>`],
    "  </testsuite>"
  ]
}

/** JUnit XML: a suite an exercise, a case a task, points as properties. */
export const junit = (reports: ReadonlyArray<Report>): string => {
  const tasks = reports.flatMap(({ exercises }) => exercises).flatMap((exercise) => exercise.tasks)
  return [
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    `<testsuites${
      attributes({
        name: reports[0]?.course.name,
        tests: tasks.length,
        failures: tasks.filter((task) => task.status !== "passed" && task.status !== "open").length,
        errors: 0
      })
    }>`,
    ...reports.flatMap((report) => report.exercises.flatMap((exercise) => junitSuite(report, exercise))),
    "</testsuites>",
    ""
  ].join("\n")
}

/** Where there are several learners, whose test it is. */
const prefix = (reports: ReadonlyArray<Report>, report: Report): string =>
  reports.length > 1 && report.learner !== undefined ? `${report.learner}: ` : ""

/** What is known about an exercise besides its tasks. */
const notes = (exercise: ExerciseReport): ReadonlyArray<string> => {
  const own = [
    ...exercise.problem === undefined ? [] : [exercise.problem],
    ...exercise.notices ?? [],
    ...typeLines(exercise)
  ]
  return own.length === 0 ? [] : [`${exercise.id} ${exercise.title}: ${own.join("\n")}`]
}

/** Gradescope's `results.json`. Scores are weighted; that of the whole is the sum of those of the tests. */
export const gradescope = (reports: ReadonlyArray<Report>): Record<string, unknown> => {
  const tests = reports.flatMap((report) =>
    report.exercises.flatMap((exercise) =>
      exercise.tasks.map((task, index) => ({
        score: scored(task.points * exercise.weight),
        max_score: scored(task.max * exercise.weight),
        // Without a status Gradescope shows the score alone: what is open is neither passed nor failed.
        ...task.status !== "open" && { status: task.status === "passed" ? "passed" : "failed" },
        name: `${prefix(reports, report)}${nameOf(exercise, task)}`,
        number: `${exercise.id}.${index + 1}`,
        ...task.status !== "passed" && { output: reasonOf(exercise, task) },
        tags: [`level-${exercise.level}`, exercise.chapter],
        visibility: "visible"
      }))
    )
  )
  const output = reports.flatMap((report) => [
    ...report.assignment === undefined ? [] : [report.assignment],
    ...report.due === undefined ? [] : [`Due: ${report.due}`],
    ...report.exercises.flatMap(notes),
    ...report.notices ?? [],
    ...report.conditions ?? []
  ])
  const millis = reports.flatMap(({ exercises }) => exercises).reduce((all, { durationMs }) => all + durationMs, 0)
  return {
    score: scored(tests.reduce((all, test) => all + test.score, 0)),
    execution_time: Math.round(millis / 1000),
    output: output.join("\n\n"),
    visibility: "visible",
    stdout_visibility: "hidden",
    extra_data: { course: reports[0]?.course },
    tests
  }
}

const exercismLimit = 500
const truncated = "Output was truncated. Please limit to 500 chars"

/** Exercism's rule for what a file printed. */
const limited = (output: string): string =>
  output.length <= exercismLimit
    ? output
    : `${output.slice(0, exercismLimit - truncated.length - 1).toWellFormed()}\n${truncated}`

/** Whether at least one task was really run. */
const ran = (exercise: ExerciseReport): boolean =>
  exercise.tasks.some((task) =>
    task.status !== "open" && (task.status !== "failed" || task.message !== "This task did not run.")
  )

/** Exercism's `results.json`, version 3: tests in the order of the spec, `error` only where none ran. */
export const exercism = (reports: ReadonlyArray<Report>): Record<string, unknown> => {
  const all = reports.flatMap(({ exercises }) => exercises)
  if (!all.some(ran)) {
    const message = all.flatMap(notes).join("\n\n")
    return {
      version: 3,
      status: "error",
      message: (message === "" ? "There was nothing to run." : message).slice(0, 65_535).toWellFormed(),
      tests: []
    }
  }
  const passed = all.every(({ status }) => status === "passed")
  return {
    version: 3,
    status: passed ? "pass" : "fail",
    message: null,
    tests: reports.flatMap((report) =>
      report.exercises.flatMap((exercise) =>
        exercise.tasks.map((task, index) => ({
          name: `${prefix(reports, report)}${all.length > 1 ? nameOf(exercise, task) : `${task.id}: ${task.title}`}`,
          status: task.status === "passed" ? "pass" : ran(exercise) && task.status !== "open" ? "fail" : "error",
          message: task.status === "passed" ? null : reasonOf(exercise, task),
          // What a file prints is kept for the file, not for each test: it goes to the first one.
          ...index === 0 && exercise.output !== "" && { output: limited(exercise.output) },
          ...task.testCode !== undefined && { test_code: task.testCode },
          ...all.length === 1 && { task_id: index + 1 }
        }))
      )
    )
  }
}

const command = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")

const parameter = (text: string): string => command(text).replaceAll(":", "%3A").replaceAll(",", "%2C")

const annotation = (
  file: string | undefined,
  line: number | undefined,
  title: string,
  message: string,
  kind = "error"
): string => {
  const at = file === undefined ? "" : `file=${parameter(file)},${line === undefined ? "" : `line=${line},`}`
  return `::${kind} ${at}title=${parameter(title)}::${command(message)}\n`
}

/** Lines that GitHub Actions turns into marks beside the code. */
export const githubAnnotations = (reports: ReadonlyArray<Report>): string =>
  reports.flatMap((report) =>
    report.exercises.flatMap((exercise) => {
      const { file, line, problem } = exercise
      const before = prefix(reports, report)
      const title = `${before}${exercise.id} ${exercise.title}`
      const notices = (exercise.notices ?? []).map((one) => annotation(file, undefined, title, one, "warning"))
      if (exercise.status === "open") return [annotation(file, line, title, problem ?? "", "warning"), ...notices]
      if (problem !== undefined && !ran(exercise)) return [annotation(file, line, title, problem), ...notices]
      return [
        ...notices,
        ...problem === undefined ? [] : [annotation(file, line, title, problem)],
        ...exercise.typeErrors.map((one) => annotation(file, one.line, title, `${one.code} ${one.message}`)),
        ...exercise.tasks.filter((task) => task.status === "failed").map((task) =>
          annotation(file, task.line, `${before}${nameOf(exercise, task)}`, reasonOf(exercise, task))
        )
      ]
    })
  ).join("")

/** Text on one line, without characters that would break or move it. */
const flat = (text: string): string =>
  text.replaceAll(/\s*[\n\v\f\r\u0085\u2028\u2029]\s*/g, " ").replaceAll(/\p{Cc}/gu, "\uFFFD")

/** Text in a cell of a Markdown table. */
export const cell = (text: string): string =>
  flat(text).replaceAll(/[\\`*_[\]<>|&~#]/g, (char) => `&#${char.charCodeAt(0)};`)

const longest = 300

/** A message in a list of many: one line without the text that a parser quotes, and not longer than is read there. */
export const short = (text: string): string => {
  const lines = text.split("\n").filter((line) => !/^(?:\d+: |\s*\^$)/.test(line))
  const chars = Array.from(flat(lines.join("\n")).trim())
  return chars.length <= longest ? chars.join("") : `${chars.slice(0, longest - 2).join("")} …`
}

const words: Record<ExerciseReport["status"], string> = {
  passed: "passed",
  failed: "not passed",
  open: "open: it needs PostgreSQL",
  timedOut: "stopped at the time limit",
  crashed: "ended the process",
  cheated: "reached for the grader",
  couldNotFinish: "could not be checked",
  missing: "no file"
}

/** How an exercise went, in words. */
export const statusOf = (exercise: ExerciseReport): string =>
  exercise.untouched === true && exercise.status === "failed" ? "not begun" : words[exercise.status]

/** What was handed in and not used, with the exercise that it was for. */
export const noticesOf = (report: Report): ReadonlyArray<string> => [
  ...report.exercises.flatMap(({ id, notices = [] }) => notices.map((one) => `${id}: ${one}`)),
  ...report.notices ?? []
]

const summary = (report: Report): ReadonlyArray<string> => [
  ...report.learner === undefined ? [] : [`## ${cell(report.learner)}`, ""],
  ...report.assignment === undefined ? [] : [`**${cell(report.assignment)}**`, ""],
  ...report.due === undefined ? [] : [`Due: ${cell(report.due)}`, ""],
  `${report.totals.points} of ${report.totals.max} points, ${report.totals.passed} of ${report.totals.exercises} exercises passed.${
    report.totals.open === 0 ? "" : ` ${report.totals.open} of the points are open.`
  }`,
  "",
  "| Exercise | Level | Result | Points | To do |",
  "| --- | --- | --- | --- | --- |",
  ...report.exercises.map((exercise) => {
    const open = exercise.tasks.find((task) => task.status !== "passed")
    const next = open === undefined ? exercise.problem ?? "" : `${open.id}: ${reasonOf(exercise, open)}`
    const points = `${exercise.points} of ${exercise.max}${exercise.open === 0 ? "" : `, ${exercise.open} open`}`
    return `| ${exercise.id} ${cell(exercise.title)} | ${exercise.level} | ${statusOf(exercise)} | ${points} | ${
      cell(next)
    } |`
  }),
  "",
  ...noticesOf(report).flatMap((one) => [`- ${cell(one)}`]),
  ...noticesOf(report).length === 0 ? [] : [""]
]

/** Markdown for the page of a workflow's run. */
export const githubSummary = (reports: ReadonlyArray<Report>): string => reports.flatMap(summary).join("\n")

// A cell that begins like this is a formula for a spreadsheet.
const formula = /^[=+\-@\t\r]/

/** One line of CSV. */
export const csvLine = (values: ReadonlyArray<string | number | undefined>): string =>
  `${
    values.map((value) => {
      if (value === undefined) return ""
      if (typeof value === "number") return String(value)
      const text = formula.test(value) ? `'${value}` : value
      return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text
    }).join(",")
  }\r\n`

/** A row an exercise. */
export const csv = (reports: ReadonlyArray<Report>): string =>
  csvLine(["learner", "id", "title", "level", "status", "points", "max", "weight", "types", "hintsUsed", "durationMs"])
  + reports.flatMap((report) =>
    report.exercises.map((one) =>
      csvLine([
        report.learner,
        one.id,
        one.title,
        one.level,
        one.status,
        one.points,
        one.max,
        one.weight,
        one.types,
        one.hintsUsed,
        one.durationMs
      ])
    )
  ).join("")
