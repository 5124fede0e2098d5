import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Catalogue, Report, type Verdict } from "effect-lifecycle/workbook"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { budget, course } from "./grader.ts"

const about = { name: "effect-lifecycle", version: "0.1.0" }

/** A verdict on 02.2 in which some tasks passed. */
const verdict = (
  exercise: Catalogue.Exercise,
  passed: ReadonlyArray<string>,
  rest: Partial<Verdict.Verdict> = {}
): Verdict.Verdict => {
  const tasks = exercise.manifest.tasks.map((task) =>
    passed.includes(task.id)
      ? { ...task, passed: true }
      : { ...task, passed: false, message: `It must <end> & "stop" at 5 s, not\u0007 7 s.`, line: 3 }
  )
  const all = tasks.every((task) => task.passed)
  return {
    id: exercise.manifest.id,
    file: "/somewhere/exercise.ts",
    outcome: all ? "passed" : "failed",
    passed: all,
    points: tasks.reduce((sum, task) => sum + (task.passed ? task.points : 0), 0),
    maximum: Catalogue.maximum(exercise.manifest),
    tasks,
    types: { status: "passed", errors: [], durationMillis: 1 },
    output: "",
    tampered: false,
    ignored: [],
    durationMillis: 1500,
    ...rest
  }
}

const reportOf = (
  passed: ReadonlyArray<string>,
  rest: Partial<Verdict.Verdict> = {},
  entry: Partial<Report.Entry> = {},
  options: Partial<Report.ReportOptions> = {}
) =>
  Effect.map(
    budget,
    (exercise) =>
      Report.make({
        course: about,
        entries: [{ exercise, verdict: verdict(exercise, passed, rest), ...entry }],
        ...options
      })
  )

const json = (text: string) => JSON.parse(text) as Record<string, unknown>
const testsIn = (text: string) => json(text)["tests"] as ReadonlyArray<Record<string, unknown>>

describe("Report", () => {
  it.effect("is what its schema says, and comes back from JSON as it was", () =>
    Effect.gen(function*() {
      const report = yield* reportOf(["a", "b"], {}, { weight: 0.1, hintsUsed: 2 }, { learner: "ada", due: "Friday" })
      const back = yield* Schema.decodeEffect(Schema.fromJsonString(Report.Report))(Report.render("json", report))
      assert.deepStrictEqual(back, report)
      assert.strictEqual(report.totals.points, 0.1)
      assert.strictEqual(report.totals.max, 0.4)
    }))

  it("publishes a JSON schema that requires what a report has", () => {
    const schema = JSON.stringify(Report.jsonSchema())
    for (const name of ["exercises", "totals", "byLevel", "tampered", "subjectHash", "gradedBy"]) {
      assert.include(schema, `"${name}"`)
    }
    assert.include(schema, "https://json-schema.org/draft/2020-12/schema")
  })

  it.effect("withholds the points of tasks while the types fail, everywhere alike", () =>
    Effect.gen(function*() {
      const types = {
        status: "failed",
        errors: [{ line: 2, code: "TS2322", message: "No." }],
        durationMillis: 1
      } as const
      const report = yield* reportOf(["a", "b", "c"], { points: 0, types })
      assert.deepStrictEqual(report.exercises[0]?.tasks.map((task) => task.status), [
        "passed",
        "withheld",
        "withheld",
        "failed",
        "failed"
      ])
      assert.strictEqual(json(Report.render("gradescope", report))["score"], 0)
      assert.include(Report.render("junit", report), "type=\"withheld\"")
      assert.include(Report.render("github", report), "TS2322 No.")
    }))

  it.effect("calls open what could not be run: neither passed nor failed, in every format", () =>
    Effect.gen(function*() {
      const exercise = yield* budget
      const half = verdict(exercise, ["a", "b", "c", "e"])
      const report = yield* reportOf([], {
        ...half,
        outcome: "open",
        problem: "Task d needs PostgreSQL, and there is none.",
        tasks: half.tasks.map((task) => task.passed ? task : { ...task, open: true, message: "This task is open." })
      }, { weight: 2 })
      const worth = exercise.manifest.tasks.find((task) => task.id === "d")?.points ?? 0
      const [one] = report.exercises
      assert.deepInclude(one, { status: "open", open: worth, points: 4 - worth })
      assert.deepStrictEqual(one?.tasks.map((task) => task.status), ["passed", "passed", "passed", "open", "passed"])
      assert.deepInclude(report.totals, { open: 2 * worth, passed: 0 })
      const junit = Report.render("junit", report)
      assert.match(junit, /<testsuite [^>]*failures="0"[^>]*skipped="1"/)
      assert.include(junit, "<skipped message=\"This task is open.\"/>")
      assert.notInclude(junit, "<failure")
      const [, , , open] = testsIn(Report.render("gradescope", report))
      assert.deepInclude(open, { score: 0, max_score: 2 * worth, output: "This task is open." })
      assert.notProperty(open, "status")
      assert.strictEqual(testsIn(Report.render("exercism", report))[3]?.["status"], "error")
      const github = Report.render("github", report)
      assert.include(github, `${4 - worth} of 4, ${worth} open`)
      assert.include(github, `${2 * worth} of the points are open`)
      const annotations = Report.githubAnnotations([report])
      assert.match(annotations, /^::warning .*needs PostgreSQL/)
      assert.notInclude(annotations, "::error")
      assert.include(Report.render("csv", report), ",open,")
    }))

  it.effect("gives Gradescope weighted scores that add up", () =>
    Effect.gen(function*() {
      const report = yield* reportOf(["a", "b", "d"], {}, { weight: 2.5 })
      const text = Report.render("gradescope", report)
      const tests = testsIn(text)
      assert.strictEqual(json(text)["score"], 5)
      assert.strictEqual(tests.reduce((sum, test) => sum + Number(test["score"]), 0), 5)
      assert.strictEqual(tests.reduce((sum, test) => sum + Number(test["max_score"]), 0), 10)
      assert.deepStrictEqual(tests.map((test) => test["status"]), ["passed", "passed", "failed", "passed", "failed"])
      assert.strictEqual(tests[1]?.["number"], "02.2.2")
    }))

  it.effect("gives Exercism the tests in the order of the spec, with their text where it is asked for", () =>
    Effect.gen(function*() {
      const spec = ["c", "a", "e", "b", "d"].map((task) =>
        `describe("${task}: words", () => {\n  it("x", () => {})\n})\n`
      )
      const report = yield* reportOf(["a", "b"], { output: "x".repeat(600) }, { spec: spec.join("\n") }, {
        testCode: true
      })
      const text = Report.render("exercism", report)
      const tests = testsIn(text)
      assert.strictEqual(json(text)["version"], 3)
      assert.strictEqual(json(text)["status"], "fail")
      assert.deepStrictEqual(tests.map((test) => String(test["name"])[0]), ["c", "a", "e", "b", "d"])
      assert.deepStrictEqual(tests.map((test) => test["task_id"]), [1, 2, 3, 4, 5])
      assert.strictEqual(tests[0]?.["test_code"], "describe(\"c: words\", () => {\n  it(\"x\", () => {})\n})")
      assert.isAtMost(String(tests[0]?.["output"]).length, 500)
    }))

  it.effect("finds the text of every task in the specs of the course", () =>
    Effect.gen(function*() {
      const catalogue = yield* Catalogue.load(course)
      for (const exercise of catalogue.exercises) {
        const entry = yield* Report.entry(exercise, undefined)
        const report = Report.make({ course: about, entries: [entry], testCode: true })
        const without = report.exercises[0]?.tasks.filter((task) => task.testCode === undefined).map((task) => task.id)
        assert.deepStrictEqual(without, [], exercise.path)
      }
    }))

  it.effect("tells Exercism of an error only when nothing ran", () =>
    Effect.gen(function*() {
      const exercise = yield* budget
      const tasks = exercise.manifest.tasks.map((task) => ({
        ...task,
        passed: false,
        message: "This task did not run."
      }))
      const problem = "Your file cannot be loaded."
      const stopped = yield* reportOf([], { tasks, problem })
      const text = json(Report.render("exercism", stopped))
      assert.strictEqual(text["status"], "error")
      assert.include(String(text["message"]), problem)
      assert.strictEqual(json(Report.render("exercism", yield* reportOf(["a"])))["status"], "fail")
      assert.strictEqual(
        json(Report.render("exercism", yield* reportOf(["a", "b", "c", "d", "e"])))["status"],
        "pass"
      )
    }))

  it.effect("writes XML that holds whatever a file printed", () =>
    Effect.gen(function*() {
      const output = "]]> <b> & \u0000\u001B[31m \uD800 é\n"
      const xml = Report.render("junit", yield* reportOf(["a"], { output }, {}, { learner: "<ada>" }))
      // oxlint-disable-next-line no-control-regex -- control characters are what it is about
      assert.notMatch(xml, /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uD800-\uDFFF]/)
      assert.include(xml, "<system-out>]]&gt; &lt;b&gt; &amp; \uFFFD\uFFFD[31m \uFFFD é&#10;</system-out>")
      assert.include(xml, "It must &lt;end&gt; &amp; &quot;stop&quot; at 5 s, not\uFFFD 7 s.")
      assert.include(xml, "tests=\"5\" failures=\"4\"")
      assert.include(xml, "<property name=\"points\" value=\"0\"/>")
      const parser = spawnSync("python3", ["-c", "import sys, xml.dom.minidom as m; m.parse(sys.stdin.buffer)"], {
        input: xml
      })
      // Where there is no Python, the assertions above have to do.
      if (parser.error === undefined) assert.strictEqual(parser.status, 0, String(parser.stderr))
    }))

  it.effect("marks a failure beside the learner's line for GitHub, and keeps its words out of the commands", () =>
    Effect.gen(function*() {
      const report = yield* reportOf(["a", "b", "c", "d"], {}, { file: "workspace/a,b:c/exercise.ts" })
      const [line, ...rest] = Report.githubAnnotations([report]).trimEnd().split("\n")
      assert.strictEqual(
        line,
        "::error file=workspace/a%2Cb%3Ac/exercise.ts,line=3,title=02.2 e%3A the same with the library's Deadline"
          + "::It must <end> & \"stop\" at 5 s, not\u0007 7 s."
      )
      assert.deepStrictEqual(rest, [])
      assert.include(Report.githubSummary([report]), "It must &#60;end&#62; &#38; \"stop\"")
      assert.strictEqual(Report.githubAnnotations([yield* reportOf(["a", "b", "c", "d", "e"])]), "")
    }))

  it.effect("writes CSV in which a name is never a formula", () =>
    Effect.gen(function*() {
      const report = yield* reportOf(["a"], {}, {}, { learner: "=HYPERLINK(\"x\"), Ada" })
      const [head, row] = Report.render("csv", report).split("\r\n")
      assert.strictEqual(head, "learner,id,title,level,status,points,max,weight,types,hintsUsed,durationMs")
      assert.strictEqual(
        row,
        "\"'=HYPERLINK(\"\"x\"\"), Ada\",02.2,\"One budget, three calls\",2,failed,0,4,1,passed,,1500"
      )
    }))

  it.effect("hashes the spec and the file, so that two checks can be compared", () =>
    Effect.gen(function*() {
      const exercise = yield* budget
      const file = exercise.stub
      const entry = yield* Report.entry(exercise, verdict(exercise, ["a"], { file }))
      assert.strictEqual(entry.subject, readFileSync(file, "utf8"))
      const one = Report.make({ course: about, entries: [entry] }).exercises[0]
      const other = Report.make({ course: about, entries: [{ ...entry, subject: `${entry.subject} ` }] }).exercises[0]
      assert.strictEqual(one?.specHash, other?.specHash)
      assert.notStrictEqual(one?.subjectHash, other?.subjectHash)
    }))
})
