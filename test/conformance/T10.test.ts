import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline, DeadlineCodec, Propagation } from "effect-lifecycle/request"

const malformed: ReadonlyArray<readonly [name: string, value: string | ReadonlyArray<string>]> = [
  ["negative", "-1"],
  ["negative zero", "-0"],
  ["nan", "nan"],
  ["NaN", "NaN"],
  ["inf", "inf"],
  ["Infinity", "Infinity"],
  ["1e9 seconds", "1e9"],
  ["1e400", "1e400"],
  ["empty", ""],
  ["blank", "   "],
  ["joined duplicates", "5, 6"],
  ["equal joined duplicates", "5,5"],
  ["a list of two", ["5", "6"]],
  ["10 kB", "1".repeat(10_240)],
  ["10 kB of zeros before a small number", `${"0".repeat(10_240)}5`],
  ["CR LF", "5\r\nx-admin: true"],
  ["a line feed at the end", "5\n"],
  ["words", "five"],
  ["a unit", "5s"],
  ["hexadecimal", "0x5"],
  ["digits of another script", "٥"]
]

const millisLeft = Effect.map(Deadline.remaining, Option.map(Duration.toMillis))

const receive = (
  value: string | ReadonlyArray<string>,
  policy: Propagation.Policy,
  codec: DeadlineCodec.DeadlineCodec
) =>
  Effect.gen(function*() {
    const reports: Array<Recorder.Report> = []
    const left = yield* Propagation.extract({ [codec.header]: value }, { ...policy, deadlineCodecs: [codec] }).pipe(
      Effect.flatMap((extracted) => Propagation.run(millisLeft, extracted)),
      Recorder.recordTo((report) => reports.push(report))
    )
    return [left, reports] as const
  })

describe("T10: the deadline is the smallest of explicit, inherited and server cap; a bad header is ignored and counted", () => {
  for (
    const [explicit, inherited, cap, expected] of [
      [50_000, 100, 60_000, 100],
      [100, 50_000, 60_000, 100],
      [50_000, 40_000, 30_000, 30_000],
      [50_000, undefined, 30_000, 30_000],
      [undefined, 40_000, 30_000, 30_000],
      [undefined, 400, undefined, 400],
      [400, undefined, undefined, 400],
      [undefined, undefined, 30_000, 30_000],
      [undefined, 0, 30_000, 0],
      [undefined, undefined, undefined, undefined]
    ] as const
  ) {
    it.effect(`explicit ${explicit}, inherited ${inherited}, cap ${cap}: ${expected} ms`, () =>
      Effect.gen(function*() {
        const headers = inherited === undefined ? {} : { "x-request-timeout": `${inherited / 1000}` }
        const extracted = yield* Propagation.extract(headers, { maximum: cap })
        const explicitly = explicit === undefined ? millisLeft : Deadline.within(millisLeft, explicit)
        const left = yield* Propagation.run(explicitly, extracted)
        assert.deepStrictEqual(left, Option.fromUndefinedOr(expected))
      }))
  }

  for (const codec of [DeadlineCodec.requestTimeout, DeadlineCodec.grpcTimeout, DeadlineCodec.envoyExpected]) {
    describe(codec.header, () => {
      for (const [name, value] of malformed) {
        it.effect(`${name} is ignored, counted once and never quoted`, () =>
          Effect.gen(function*() {
            const [left, reports] = yield* receive(value, {
              trusted: true,
              default: "3 seconds",
              maximum: "30 seconds"
            }, codec)
            assert.deepStrictEqual(left, Option.some(3000))
            assert.strictEqual(reports.length, 1)
            const report = reports[0]
            assert.strictEqual(report?._tag, "HeaderIgnored")
            if (report?._tag !== "HeaderIgnored") return
            assert.strictEqual(report.header, codec.header)
            assert.match(report.reason, /^[a-z ]+$/)
            assert.isAtMost(report.reason.length, 30)
          }))
      }
    })
  }

  it.effect("a good header counts and is not reported", () =>
    Effect.gen(function*() {
      const [left, reports] = yield* receive("2.5", { maximum: "30 seconds" }, DeadlineCodec.requestTimeout)
      assert.deepStrictEqual(left, Option.some(2500))
      assert.deepStrictEqual(reports, [])
    }))

  it.effect("an absent header is not reported", () =>
    Effect.gen(function*() {
      const reports: Array<Recorder.Report> = []
      yield* Propagation.extract({}).pipe(Recorder.recordTo((report) => reports.push(report)))
      assert.deepStrictEqual(reports, [])
    }))
})
