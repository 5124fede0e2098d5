import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Failure, Stage } from "effect-lifecycle/lifecycle"

/** The lesson's table, row by row: our stage, and the status or `null` where no HTTP answer exists. */
const lesson: ReadonlyArray<readonly [stage: Stage.StageName, status: number | null]> = [
  ["Dns", null],
  ["Connect", null],
  ["Tls", null],
  ["Balancer", 502],
  ["Balancer", 504],
  ["Proxy", 413],
  ["Proxy", 502],
  ["Proxy", 504],
  ["Server", 502],
  ["Security", 401],
  ["Middleware", 429],
  ["Middleware", 400],
  ["Router", 404],
  ["Router", 405],
  ["Dependencies", 403],
  ["Validation", 422],
  ["Handler", 500],
  ["Handler", 404]
]

describe("Failure", () => {
  it("has the lesson's eighteen rows, each once", () => {
    const rows = Failure.all.filter(({ lessonRow }) => lessonRow !== undefined)
      .toSorted((a, b) => (a.lessonRow ?? 0) - (b.lessonRow ?? 0))
    assert.deepStrictEqual(rows.map(({ lessonRow }) => lessonRow), lesson.map((_, index) => index + 1))
    assert.deepStrictEqual(rows.map(({ stage, status }) => [stage, status]), lesson.map((row) => [...row]))
  })

  it("agrees with the lesson's step of each row", () => {
    const steps = [1, 2, 3, 5, 5, 6, 6, 6, 9, 11, 11, 11, 12, 12, 13, 14, 15, 15]
    for (const { lessonRow, stage } of Failure.all) {
      if (lessonRow === undefined) continue
      const step = [Stage.get(stage).lessonStep].flat() as Array<number>
      assert.include(step, steps[lessonRow - 1], stage)
    }
  })

  it("has what the lesson says beside its table", () => {
    assert.strictEqual(Failure.get("connect-timeout").stage, "Connect")
    assert.strictEqual(Failure.get("tls-hostname-mismatch").stage, "Tls")
    assert.strictEqual(Failure.get("middleware-bad-host").status, 400)
  })

  it("has a row for every status that the table leaves out", () => {
    const ours = new Set(Failure.all.filter(({ lessonRow }) => lessonRow === undefined).map(({ status }) => status))
    for (const status of [400, 406, 408, 409, 412, 415, 428, 431, 499, 503, 504]) {
      assert.isTrue(ours.has(status), `${status}`)
    }
  })

  it("says in every row what to do, and what it leaves where", () => {
    for (const failure of Failure.all) {
      assert.deepStrictEqual(Schema.decodeSync(Failure.Failure)(failure), failure)
      assert.match(failure.id, /^[a-z]+(?:-[a-z]+)+$/)
      assert.isTrue(failure.status !== null || failure.clientError !== undefined, failure.id)
      for (const text of [failure.failure, failure.cause, failure.fix, failure.logLine, failure.loggedBy]) {
        assert.isAbove(text.length, 4, failure.id)
      }
    }
  })

  it("is found by its id and by its stage, in the order of the road", () => {
    for (const failure of Failure.all) assert.strictEqual(Failure.get(failure.id), failure)
    assert.deepStrictEqual(Stage.all.flatMap(({ name }) => Failure.forStage(name)), [...Failure.all])
    assert.strictEqual(new Set(Failure.all.map(({ id }) => id)).size, Failure.all.length)
  })

  it("begins an id with its stage", () => {
    for (const { id, stage } of Failure.all) assert.isTrue(id.startsWith(`${stage.toLowerCase()}-`), id)
  })
})
