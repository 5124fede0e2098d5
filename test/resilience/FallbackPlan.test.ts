import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, ExecutionPlan, Exit, Layer, Schema, Stream } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Fallback } from "effect-lifecycle/resilience"

class Lost extends Schema.TaggedError<Lost>()("Lost", { where: Schema.String }) {}
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}

class Model extends Context.Service<Model, { readonly name: string }>()("test/Model") {
  static readonly named = (name: string) => Context.make(Model, { name })
}

const bug = new Error("bug")
const throws = (): never => {
  throw bug
}
const errorsOf = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<unknown> =>
  Exit.isFailure(exit)
    ? exit.cause.reasons.map((reason) =>
      Cause.isFailReason(reason)
        ? reason.error instanceof Lost ? reason.error.where : reason.error
        : Cause.isDieReason(reason)
        ? reason.defect
        : "interrupted"
    )
    : []

const three = ExecutionPlan.make(
  { provide: Model.named("large") },
  { provide: Model.named("small"), attempts: 2 },
  { provide: Model.named("cache") }
)

describe("Fallback.plan", () => {
  /** Asks the model of the step; the log says whom. */
  const asking = (answers: Readonly<Record<string, Effect.Effect<string, Lost | NotFound>>>) => {
    const log: Array<string> = []
    const ask = Effect.flatMap(Model, ({ name }) => {
      log.push(name)
      return answers[name] ?? Effect.fail(new Lost({ where: name }))
    })
    return { ask, log }
  }

  it.effect("goes through the steps in order until one succeeds", () =>
    Effect.gen(function*() {
      const { ask, log } = asking({ cache: Effect.succeed("stale") })
      assert.strictEqual(yield* Fallback.plan(ask, three), "stale")
      assert.deepStrictEqual(log, ["large", "small", "small", "cache"])
    }))
  it.effect("keeps the last cause of every step when all fail", () =>
    Effect.gen(function*() {
      const { ask } = asking({})
      assert.deepStrictEqual(errorsOf(yield* Effect.exit(ask.pipe(Fallback.plan(three)))), ["large", "small", "cache"])
    }))
  it.effect("neither retries nor leaves a step on a failure that is not listed", () =>
    Effect.gen(function*() {
      const { ask, log } = asking({ small: Effect.fail(new NotFound()) })
      const exit = yield* Effect.exit(Fallback.plan(ask, three, { on: ["Lost"] }))
      assert.deepStrictEqual(log, ["large", "small"])
      assert.deepStrictEqual(errorsOf(exit), ["large", new NotFound()])
    }))
  it.effect("ends on a defect and on an interruption that an attempt brings", () =>
    Effect.gen(function*() {
      for (const [ends, told] of [[Effect.die(bug), bug], [Effect.interrupt, "interrupted"]] as const) {
        const { ask, log } = asking({ small: ends })
        assert.deepStrictEqual(errorsOf(yield* Effect.exit(Fallback.plan(ask, three))), ["large", told])
        assert.deepStrictEqual(log, ["large", "small"])
      }
    }))
  it.effect("tells each switch to onSwitch and to the recorder", () =>
    Effect.gen(function*() {
      const { ask } = asking({ cache: Effect.succeed("stale") })
      const told: Array<unknown> = []
      yield* Fallback.plan(ask, three, {
        name: "models",
        onSwitch: ({ cause, name, stepIndex }) =>
          Effect.sync(() => told.push([name, stepIndex, ...errorsOf(Exit.failCause(cause))]))
      }).pipe(Recorder.recordTo((report) => told.push(report)))
      const report = { _tag: "FallbackUsed", name: "models", trigger: "Lost" }
      assert.deepStrictEqual(told, [report, ["models", 1, "large"], report, ["models", 2, "small"]])
    }))
  it.effect("leaves a step whose layer cannot be built", () =>
    Effect.gen(function*() {
      const { ask, log } = asking({ small: Effect.succeed("fine") })
      const broken: Layer.Layer<Model, "no key"> = Layer.effect(Model, Effect.fail("no key" as const))
      const plan = ExecutionPlan.make({ provide: broken }, { provide: Model.named("small") })
      assert.strictEqual(yield* Fallback.plan(ask, plan, { on: ["Lost"] }), "fine")
      assert.deepStrictEqual(log, ["small"])
      const { ask: fails } = asking({})
      assert.deepStrictEqual(errorsOf(yield* Effect.exit(Fallback.plan(fails, plan))), ["no key", "small"])
    }))
  it.effect("tells what throws beside the causes so far", () =>
    Effect.gen(function*() {
      const { ask } = asking({})
      assert.deepStrictEqual(errorsOf(yield* Effect.exit(Fallback.plan(ask, three, { on: throws }))), ["large", bug])
      const exit = yield* Effect.exit(Fallback.plan(ask, three, { onSwitch: throws }))
      assert.deepStrictEqual(errorsOf(exit), ["large", bug])
    }))
})

const items = ["a", "b", "c", "d", "e"]
const Position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: items.length }))
const Chunk = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 }))

/** Three attempts in two steps: each delivers so many items and breaks, the third delivers all. */
const plan = ExecutionPlan.make({ provide: Model.named("first"), attempts: 2 }, { provide: Model.named("second") })
const attempts = (breaks: ReadonlyArray<number>, chunk: number, third = true) => {
  const runs: Array<string> = []
  const from = (start: number): Stream.Stream<string, Lost, Model> =>
    Stream.unwrap(Effect.map(Model, ({ name }) => {
      const n = breaks[runs.length]
      runs.push(name)
      const told = Stream.fromIterable(items.slice(start, n ?? items.length)).pipe(Stream.rechunk(chunk))
      return n === undefined && third
        ? told
        : Stream.concat(told, Stream.suspend(() => Stream.fail(new Lost({ where: `${name} ${runs.length}` }))))
    }))
  return { from, runs, stream: from(0) }
}
const consume = Effect.fnUntraced(function*<A, E, R>(stream: Stream.Stream<A, E, R>) {
  const seen: Array<A> = []
  const exit = yield* Effect.exit(Stream.runForEach(stream, (item) => Effect.sync(() => void seen.push(item))))
  return { errors: errorsOf(exit), seen }
})

describe("Fallback.planStream, at every break position and chunk size", () => {
  it.effect.prop(
    "restart repeats, also for attempts in a step",
    [Position, Position, Chunk],
    ([n, m, chunk]) =>
      Effect.gen(function*() {
        const { runs, stream } = attempts([n, m], chunk)
        const { errors, seen } = yield* consume(Fallback.planStream(stream, plan, { mode: "restart" }))
        assert.deepStrictEqual(errors, [])
        assert.deepStrictEqual(runs, ["first", "first", "second"])
        assert.deepStrictEqual(seen, [...items.slice(0, n), ...items.slice(0, m), ...items])
      })
  )
  it.effect.prop(
    "dedupeBy delivers every item once",
    [Position, Position, Chunk],
    ([n, m, chunk]) =>
      Effect.gen(function*() {
        const { runs, stream } = attempts([n, m], chunk)
        const { errors, seen } = yield* consume(
          Fallback.planStream(stream, plan, { mode: { dedupeBy: (item) => item } })
        )
        assert.deepStrictEqual(errors, [])
        assert.deepStrictEqual(runs, ["first", "first", "second"])
        assert.deepStrictEqual(seen, items)
      })
  )
  it.effect.prop("resume goes on after what was delivered, by whichever attempt", [Position, Position, Chunk], ([
    n,
    m,
    chunk
  ]) =>
    Effect.gen(function*() {
      const { from, runs, stream } = attempts([n, Math.max(n, m)], chunk)
      const { errors, seen } = yield* consume(Fallback.planStream(stream, plan, {
        mode: {
          key: (item: string) => items.indexOf(item),
          resume: ({ delivered, last, lastKey }) => {
            assert.strictEqual(last, items[delivered - 1])
            assert.strictEqual(lastKey, delivered - 1)
            return from(delivered)
          }
        }
      }))
      assert.deepStrictEqual(errors, [])
      assert.deepStrictEqual(runs, ["first", "first", "second"])
      assert.deepStrictEqual(seen, items)
    }))
  it.effect.prop("fail makes neither an attempt nor a step after the first item", [Position, Position, Chunk], ([
    n,
    m,
    chunk
  ]) =>
    Effect.gen(function*() {
      const { runs, stream } = attempts([n, m], chunk)
      const { errors, seen } = yield* consume(Fallback.planStream(stream, plan, { mode: "fail" }))
      const made = n > 0 ? 1 : m > 0 ? 2 : 3
      assert.strictEqual(runs.length, made)
      assert.deepStrictEqual(seen, made === 3 ? items : items.slice(0, n > 0 ? n : m))
      assert.strictEqual(errors.at(-1), made === 3 ? undefined : `first ${made}`)
    }))
  it.effect.prop(
    "keeps the last cause of every step when all break",
    [Position, Position, Chunk],
    ([n, m, chunk]) =>
      Effect.gen(function*() {
        const { stream } = attempts([n, m], chunk, false)
        const { errors } = yield* consume(Fallback.planStream(stream, plan, { mode: "restart" }))
        assert.deepStrictEqual(errors, ["first 2", "second 3"])
      })
  )
})

describe("Fallback.planStream", () => {
  it.effect("does not repeat the items that Effect's own repeats when it retries in a step", () =>
    Effect.gen(function*() {
      const theirs = attempts([2, 2], 1)
      const { seen } = yield* consume(
        Stream.withExecutionPlan(theirs.stream, plan, { preventFallbackOnPartialStream: true })
      )
      assert.deepStrictEqual(seen, ["a", "b", "a", "b"])
      const ours = attempts([2, 2], 1)
      assert.deepStrictEqual((yield* consume(Fallback.planStream(ours.stream, plan, { mode: "fail" }))).seen, [
        "a",
        "b"
      ])
    }))
  it.effect("tells the switch, and what throws beside the causes so far", () =>
    Effect.gen(function*() {
      const reports: Array<Recorder.Report> = []
      const run = (options: Omit<Fallback.PlanStreamOptions<string, Lost, unknown, never, never, never>, "mode">) =>
        consume(Fallback.planStream(attempts([1, 2], 1).stream, plan, { mode: "restart", name: "letters", ...options }))
      yield* Recorder.recordTo(run({}), (report) => reports.push(report))
      assert.deepStrictEqual(reports, [{ _tag: "FallbackUsed", name: "letters", trigger: "Lost" }])
      assert.deepStrictEqual(yield* run({ on: throws }), { seen: ["a"], errors: ["first 1", bug] })
      assert.deepStrictEqual((yield* run({ onSwitch: throws })).errors, ["first 2", bug])
      const keyed = yield* consume(Fallback.planStream(attempts([2], 1).stream, plan, {
        mode: { dedupeBy: (item) => item === "c" ? throws() : item }
      }))
      assert.deepStrictEqual(keyed, { seen: ["a", "b"], errors: ["first 1", bug] })
      const resumed = yield* consume(Fallback.planStream(attempts([2], 1).stream, plan, { mode: { resume: throws } }))
      assert.deepStrictEqual(resumed, { seen: ["a", "b"], errors: ["first 1", bug] })
    }))
})
