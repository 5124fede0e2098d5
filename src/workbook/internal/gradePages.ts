/** A gradebook as a table, as statistics, and as a page for each student. Pure. */
import type { Gradebook, Mark, Rubric, Statistics, WrongAnswer } from "../Gradebook.ts"
import type { ExerciseReport, Report, TaskReport } from "../Report.ts"
import { cell, csvLine, noticesOf, short, statusOf, withheld } from "./reportFormats.ts"

/** What an instructor should look at, for one student. */
const flags = (report: Report): string =>
  [
    ...report.exercises.flatMap((one) =>
      one.tampered || one.status === "cheated"
        ? [`${one.id} reached for the grader`]
        : one.status === "couldNotFinish"
        ? [`${one.id} could not be checked: grade it again`]
        : one.open > 0
        ? [`${one.id} has ${one.open} open ${one.open === 1 ? "point" : "points"}: grade it where PostgreSQL is`]
        : []
    ),
    ...noticesOf(report).map((one) => one.replace(/\.$/, ""))
  ].join("; ")

/** A row a student. */
export const gradebookCsv = ({ assignment, reports }: Gradebook): string => {
  const ids = assignment.items.map(({ exercise }) => exercise.manifest.id)
  return csvLine(["learner", ...ids, "points", "max", "passed", "notice", "page"]) + reports.map((report) =>
    csvLine([
      report.learner,
      ...ids.map((id) => {
        const one = report.exercises.find((exercise) => exercise.id === id)
        return one === undefined || one.status === "missing" ? undefined : one.points
      }),
      report.totals.points,
      report.totals.max,
      report.totals.passed,
      flags(report),
      report.page ?? report.learner
    ])
  ).join("")
}

const share = (part: number, all: number): string => all === 0 ? "-" : `${Math.round((100 * part) / all)} %`

const likeness = ({ failing, resembles }: WrongAnswer, tasks: number): string => {
  const [first, ...others] = resembles
  // Where nothing passed, the file may never have run: to be like no other one is no finding then.
  if (first === undefined) return failing.length === tasks ? "" : "Like no wrong answer of the course. "
  const name = [first, ...others].map((one) => `${one.name}${one.why === "" ? "" : ` (${one.why})`}`).join(", or ")
  return `${first.sameMessages ? "Fails like" : "Fails the same tasks as"} ${name}. `
}

const people = (count: number): string => count === 1 ? "1 answer" : `${count} answers`

const exerciseStatistics = ({ answers, exercise, mean, passed, tasks, wrong }: Statistics): ReadonlyArray<string> => [
  `## ${exercise.manifest.id} ${cell(exercise.manifest.title)}`,
  "",
  `${people(answers)}, ${passed} passed, mean ${mean.toFixed(1)} points.`,
  "",
  "| Task | Points | Passed | Failed | Open | Share |",
  "| --- | --- | --- | --- | --- | --- |",
  ...tasks.map((task) =>
    `| ${task.id}: ${cell(task.title)} | ${task.points} | ${task.passed} | ${task.failed} | ${task.open} | ${
      share(task.passed, answers - task.open)
    } |`
  ),
  "",
  ...wrong.flatMap((one) => [
    `- ${people(one.learners.length)}${one.failing.length === 0 ? "" : ` failing ${one.failing.join(", ")}`}. ${
      one.failing.length === 0 ? "" : cell(likeness(one, tasks.length))
    }"${cell(short(one.message))}" (${cell(one.learners.join(", "))})`
  ]),
  ...wrong.length === 0 ? [] : [""]
]

/** Markdown for the instructor. */
export const statisticsPage = (gradebook: Gradebook): string => {
  const { assignment, conditions, reports, statistics } = gradebook
  const sums = reports.map((report) => report.totals.points).toSorted((a, b) => a - b)
  const unanswered = statistics.filter((one) => one.answers === 0).map(({ exercise }) => exercise.manifest.id)
  const middle = sums[Math.floor((sums.length - 1) / 2)] ?? 0
  return [
    `# ${cell(assignment.title)}`,
    "",
    `${reports.length} submissions, median ${middle} of ${reports[0]?.totals.max ?? 0} points.`,
    "",
    ...reports.flatMap((report) =>
      flags(report) === "" ? [] : [`- ${cell(report.learner)}: ${cell(flags(report))}`, ""]
    ),
    ...statistics.filter((one) => one.answers > 0).flatMap(exerciseStatistics),
    ...gradebook.unused.length === 0
      ? []
      : ["## Not used", "", ...gradebook.unused.map((one) => `- ${cell(one)}`), ""],
    ...unanswered.length === 0 ? [] : ["## Nobody answered", "", `${unanswered.join(", ")}.`, ""],
    "## How it was graded",
    "",
    "Resemblances are guesses, from which tasks failed and what they said.",
    "",
    ...conditions.map((sentence) => `- ${cell(sentence)}`),
    ""
  ].join("\n")
}

const taskResult = (task: TaskReport): string =>
  task.status === "passed" ? "passed" : task.status === "withheld"
    ? "passed, not counted"
    : task.status === "open"
    ? "open"
    : "not passed"

/** What the tests said; what concerns the whole file stands above the tasks. */
const seenIn = (task: TaskReport): string =>
  task.status === "passed" ? "" : task.status === "withheld" ? withheld : task.message ?? ""

const markText = ({ mark }: Mark): string => mark === undefined ? "____ of 4" : `${mark} of 4`

const markNote = ({ mark, missing, row }: Mark): string =>
  [
    ...row.description === undefined ? [] : [row.description],
    ...mark === undefined ? ["Decided by the reader."] : [],
    ...missing.length === 0 ? [] : [`Missing: ${missing.join("; ")}.`]
  ].join(" ")

const lines = (exercise: ExerciseReport): ReadonlyArray<string> => [
  ...exercise.problem === undefined ? [] : [exercise.problem],
  ...exercise.notices ?? [],
  ...exercise.typeErrors.map(({ code, line, message }) => `Line ${line}: ${code} ${message}`)
]

const rubricFor = (rubrics: ReadonlyArray<Rubric>, exercise: ExerciseReport): ReadonlyArray<Mark> =>
  rubrics.find((one) => one.exercise.manifest.id === exercise.id)?.marks ?? []

const total = ({ totals }: Report): string =>
  `${totals.points} of ${totals.max} points, ${totals.passed} of ${totals.exercises} exercises passed.${
    totals.open === 0 ? "" : ` ${totals.open} of the points are open: neither won nor lost.`
  }`

const handedIn = ({ exercises }: Report): ReadonlyArray<ExerciseReport> =>
  exercises.filter((one) => one.status !== "missing")

const weightOf = ({ weight }: ExerciseReport): string => weight === 1 ? "" : `, counted ${weight} times`

/** One line for each exercise without a file: a table of tasks that did not run says nothing more. */
const notHandedIn = ({ exercises }: Report): ReadonlyArray<string> =>
  exercises.flatMap((one) =>
    one.status === "missing"
      ? [
        `${one.id} ${one.title}: 0 of ${one.max} points${weightOf(one)}${
          (one.notices ?? []).map((notice, index) => `${index === 0 ? ". " : " "}${notice}`).join("")
        }`
      ]
      : []
  )

/** A page for one student. */
export const studentMarkdown = (report: Report, rubrics: ReadonlyArray<Rubric>): string => {
  const absent = notHandedIn(report)
  return [
    `# ${cell(report.learner ?? "")}`,
    "",
    ...report.assignment === undefined ? [] : [cell(report.assignment), ""],
    ...report.due === undefined ? [] : [`Due: ${cell(report.due)}`, ""],
    `**${total(report)}**`,
    "",
    ...handedIn(report).flatMap((exercise) => {
      const marks = rubricFor(rubrics, exercise)
      return [
        `## ${exercise.id} ${cell(exercise.title)}: ${statusOf(exercise)}`,
        "",
        `${exercise.points} of ${exercise.max} points${weightOf(exercise)}.`,
        "",
        ...lines(exercise).flatMap((line) => [`> ${cell(line)}`, ""]),
        "| Task | Result | Points | What was seen |",
        "| --- | --- | --- | --- |",
        ...exercise.tasks.map((task) => {
          const seen = cell(seenIn(task))
          return `| ${task.id}: ${cell(task.title)} | ${taskResult(task)} | ${task.points} of ${task.max} | ${seen} |`
        }),
        "",
        ...marks.length === 0 ? [] : [
          "| Rubric | Mark | |",
          "| --- | --- | --- |",
          ...marks.map((mark) => `| ${cell(mark.row.name)} | ${markText(mark)} | ${cell(markNote(mark))} |`),
          ""
        ]
      ]
    }),
    ...absent.length === 0 ? [] : ["## Not handed in", "", ...absent.map((line) => `- ${cell(line)}`), ""],
    ...(report.notices ?? []).length === 0 ? [] : ["## Not used", ""],
    ...(report.notices ?? []).flatMap((sentence) => [`- ${cell(sentence)}`, ""]),
    ...(report.conditions ?? []).length === 0 ? [] : ["## How it was graded", ""],
    ...(report.conditions ?? []).map((sentence) => `- ${cell(sentence)}`),
    ""
  ].join("\n")
}

const html = (text: string): string => text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)

const element = (name: string, text: string): string => `<${name}>${html(text)}</${name}>`

const table = (caption: string, head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [
    `<table><caption>${html(caption)}</caption>`,
    `<thead><tr>${head.map((one) => `<th scope="col">${html(one)}</th>`).join("")}</tr></thead><tbody>`,
    ...rows.map(([first = "", ...rest]) =>
      `<tr><th scope="row">${html(first)}</th>${rest.map((one) => element("td", one)).join("")}</tr>`
    ),
    "</tbody></table>"
  ].join("\n")

const style = `
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem }
caption { text-align: left; font-weight: 600 }
th, td { border: 1px solid; padding: 0.25rem 0.5rem; text-align: left; vertical-align: top; font-weight: 400; overflow-wrap: anywhere }
thead th { font-weight: 600 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid; padding-left: 0.75rem }
@media print { body { margin: 0; max-width: none; font-size: 10pt } section { break-inside: avoid } }
`

/** The same page as one file of HTML that prints well. */
export const studentHtml = (report: Report, rubrics: ReadonlyArray<Rubric>): string => {
  const absent = notHandedIn(report)
  return [
    "<!doctype html>",
    "<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">",
    // Everything in the page is text; the policy keeps it so, should an escape ever be missed.
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
    element("title", [report.learner, report.assignment].filter((one) => one !== undefined).join(", ")),
    `<style>${style}</style></head><body>`,
    element("h1", report.learner ?? ""),
    ...report.assignment === undefined ? [] : [element("p", report.assignment)],
    ...report.due === undefined ? [] : [element("p", `Due: ${report.due}`)],
    `<p><strong>${html(total(report))}</strong></p>`,
    ...handedIn(report).flatMap((exercise) => {
      const marks = rubricFor(rubrics, exercise)
      return [
        "<section>",
        element("h2", `${exercise.id} ${exercise.title}: ${statusOf(exercise)}`),
        element("p", `${exercise.points} of ${exercise.max} points${weightOf(exercise)}.`),
        ...lines(exercise).map((line) => element("pre", line)),
        table(
          "Tasks",
          ["Task", "Result", "Points", "What was seen"],
          exercise.tasks.map((task) => [
            `${task.id}: ${task.title}`,
            taskResult(task),
            `${task.points} of ${task.max}`,
            seenIn(task)
          ])
        ),
        ...marks.length === 0 ? [] : [
          table("Rubric", ["Row", "Mark", "Note"], marks.map((mark) => [mark.row.name, markText(mark), markNote(mark)]))
        ],
        "</section>"
      ]
    }),
    ...absent.length === 0 ? [] : [
      element("h2", "Not handed in"),
      `<ul>${absent.map((line) => element("li", line)).join("\n")}</ul>`
    ],
    ...(report.notices ?? []).length === 0 ? [] : [
      element("h2", "Not used"),
      `<ul>${(report.notices ?? []).map((sentence) => element("li", sentence)).join("\n")}</ul>`
    ],
    ...(report.conditions ?? []).length === 0 ? [] : [
      element("h2", "How it was graded"),
      `<ul>${(report.conditions ?? []).map((sentence) => element("li", sentence)).join("\n")}</ul>`
    ],
    "</body></html>",
    ""
  ].join("\n")
}
