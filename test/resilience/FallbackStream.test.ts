import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Equal, ExecutionPlan, Exit, Fiber, Schedule, Schema, Stream } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Fallback, InvalidOption } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const items = ["a", "b", "c", "d", "e"]

/** A source that delivers so many items of the list on its first run, so many on its second, and breaks each time. */
const source = (breaks: ReadonlyArray<number>, chunk: number) => {
  const runs: Array<number> = []
  const stream: Stream.Stream<string, string> = Stream.suspend(() => {
    const n = breaks[runs.length] ?? 0
    runs.push(n)
    return Stream.fromIterable(items.slice(0, n)).pipe(Stream.rechunk(chunk), Stream.concat(Stream.fail("broken")))
  })
  return { stream, runs }
}

/** What reached the consumer, and how it ended. */
const consume = Effect.fnUntraced(function*<A, E, R>(stream: Stream.Stream<A, E, R>) {
  const seen: Array<A> = []
  const exit = yield* Effect.exit(Stream.runForEach(stream, (item) => Effect.sync(() => void seen.push(item))))
  return { seen, exit }
})

const errorsOf = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<unknown> =>
  Exit.isFailure(exit)
    ? exit.cause.reasons.map((reason) =>
      Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : "interrupted"
    )
    : []

const Position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: items.length }))
const Chunk = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 }))
const Runs = Schema.Tuple([Position, Position, Position])
const Retries = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))
const whole = (chunk: number) => Stream.fromIterable(items).pipe(Stream.rechunk(chunk))
const retry = (times: number) => times === 0 ? undefined : Schedule.recurs(times)

/** Which runs the source may make: in modes that must not repeat, none after the first delivered item. */
const untilDelivered = (breaks: ReadonlyArray<number>, retries: number): ReadonlyArray<number> => {
  const allowed = breaks.slice(0, retries + 1)
  const first = allowed.findIndex((n) => n > 0)
  return first < 0 ? allowed : allowed.slice(0, first + 1)
}

describe("Fallback.stream, at every break position, chunk size and number of retries", () => {
  it.effect.prop("restart delivers what each run delivered, then all of the fallback", [Runs, Chunk, Retries], ([
    breaks,
    chunk,
    retries
  ]) =>
    Effect.gen(function*() {
      const { runs, stream } = source(breaks, chunk)
      const { exit, seen } = yield* consume(
        Fallback.stream(stream, { mode: "restart", retry: retry(retries), fallback: () => whole(chunk) })
      )
      assert.isTrue(Exit.isSuccess(exit))
      assert.deepStrictEqual(runs, breaks.slice(0, retries + 1))
      assert.deepStrictEqual(seen, [...runs.flatMap((n) => items.slice(0, n)), ...items])
    }))
  it.effect.prop(
    "dedupeBy delivers every item once",
    [Runs, Chunk, Retries],
    ([breaks, chunk, retries]) =>
      Effect.gen(function*() {
        const { runs, stream } = source(breaks, chunk)
        const { exit, seen } = yield* consume(
          Fallback.stream(stream, {
            mode: { dedupeBy: (item: string) => item },
            retry: retry(retries),
            fallback: ({ delivered, last, lastKey }) => {
              assert.strictEqual(delivered, Math.max(...runs))
              assert.strictEqual(last, items[delivered - 1])
              assert.strictEqual(lastKey, last)
              return whole(chunk)
            }
          })
        )
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual(runs, breaks.slice(0, retries + 1))
        assert.deepStrictEqual(seen, items)
      })
  )
  for (const mode of ["resume", { resumeBy: (item: string) => item.charCodeAt(0) }] as const) {
    it.effect.prop(
      `${typeof mode === "string" ? mode : "resumeBy"} delivers every item once`,
      [Runs, Chunk, Retries],
      ([breaks, chunk, retries]) =>
        Effect.gen(function*() {
          const { runs, stream } = source(breaks, chunk)
          const { exit, seen } = yield* consume(
            Fallback.stream(stream, {
              mode,
              retry: retry(retries),
              fallback: ({ cause, delivered, last, lastKey }) => {
                assert.strictEqual(delivered, runs.at(-1))
                assert.strictEqual(last, items[delivered - 1])
                assert.strictEqual(lastKey, mode === "resume" ? undefined : last?.charCodeAt(0))
                assert.deepStrictEqual(errorsOf(Exit.failCause(cause)), ["broken"])
                return Stream.fromIterable(items.slice(delivered)).pipe(Stream.rechunk(chunk))
              }
            })
          )
          assert.isTrue(Exit.isSuccess(exit))
          assert.deepStrictEqual(runs, untilDelivered(breaks, retries))
          assert.deepStrictEqual(seen, items)
        })
    )
  }
  it.effect.prop("fail lets the failure stand after the first item", [Runs, Chunk, Retries], ([
    breaks,
    chunk,
    retries
  ]) =>
    Effect.gen(function*() {
      const { runs, stream } = source(breaks, chunk)
      const { exit, seen } = yield* consume(
        Fallback.stream(stream, { mode: "fail", retry: retry(retries), fallback: () => whole(chunk) })
      )
      assert.deepStrictEqual(runs, untilDelivered(breaks, retries))
      const delivered = runs.at(-1) ?? 0
      assert.deepStrictEqual(seen, delivered === 0 ? items : items.slice(0, delivered))
      assert.deepStrictEqual(errorsOf(exit), delivered === 0 ? [] : ["broken"])
    }))
  it.effect.prop("keeps both causes when the fallback breaks too, wherever", [Position, Position, Chunk], ([
    n,
    m,
    chunk
  ]) =>
    Effect.gen(function*() {
      const second = Stream.fromIterable(items.slice(0, m)).pipe(
        Stream.rechunk(chunk),
        Stream.concat(Stream.fail("also broken"))
      )
      const { exit } = yield* consume(
        Fallback.stream(source([n], chunk).stream, { mode: "restart", fallback: () => second })
      )
      assert.deepStrictEqual(errorsOf(exit), ["broken", "also broken"])
    }))
  it.effect.prop(
    "streamMarked puts one marker where the sources meet",
    [Position, Chunk],
    ([n, chunk]) =>
      Effect.gen(function*() {
        const { seen } = yield* consume(Fallback.streamMarked(source([n], chunk).stream, {
          name: "letters",
          mode: { dedupeBy: (item: string) => item },
          fallback: () => whole(chunk)
        }))
        assert.deepStrictEqual(seen.filter((element) => !Fallback.isSwitched(element)), items)
        const at = seen.findIndex(Fallback.isSwitched)
        assert.strictEqual(at, n)
        const marker = seen[at]
        assert.isTrue(marker instanceof Fallback.Switched)
        if (!(marker instanceof Fallback.Switched)) return
        assert.strictEqual(marker._tag, "FallbackSwitched")
        assert.strictEqual(marker.name, "letters")
        assert.strictEqual(marker.delivered, n)
        assert.strictEqual(marker.lastKey, items[n - 1])
      })
  )
})

describe("Fallback.stream", () => {
  it.effect("gives a, b from the first source and a, b, c, d from the second in mode restart", () =>
    Effect.gen(function*() {
      const from = (where: string, ids: ReadonlyArray<string>) => Stream.fromIterable(ids.map((id) => ({ id, where })))
      const told = Fallback.stream(from("primary", ["a", "b"]).pipe(Stream.concat(Stream.fail("connection lost"))), {
        mode: "restart",
        fallback: () => from("fallback", ["a", "b", "c", "d"])
      })
      assert.deepStrictEqual(
        (yield* Stream.runCollect(told)).map(({ id, where }) => `${id} ${where}`),
        ["a primary", "b primary", "a fallback", "b fallback", "c fallback", "d fallback"]
      )
    }))
  it.effect("runs data-last in a pipe with inferred types", () =>
    Effect.gen(function*() {
      const told: Stream.Stream<number, "lost"> = Stream.make(1, 2).pipe(
        Stream.concat(Stream.fail("lost" as const)),
        Fallback.stream({ mode: { dedupeBy: (n) => n }, fallback: () => Stream.make(1, 2, 3) })
      )
      assert.deepStrictEqual(yield* Stream.runCollect(told), [1, 2, 3])
    }))
  it.effect("passes a whole source through untouched", () =>
    Effect.gen(function*() {
      const told = Fallback.stream(whole(2), { mode: "restart", fallback: () => Stream.die("not asked") })
      assert.deepStrictEqual(yield* Stream.runCollect(told), items)
      assert.deepStrictEqual((yield* Stream.runCollect(Stream.chunks(told))).map((chunk) => chunk.length), [2, 2, 1])
    }))
  it.effect("compares keys by their structure", () =>
    Effect.gen(function*() {
      const told = Fallback.stream(source([2], 1).stream, {
        mode: { dedupeBy: (item: string) => ({ id: item }) },
        fallback: () => whole(1)
      })
      assert.isTrue(Equal.equals({ id: "a" }, { id: "a" }))
      assert.deepStrictEqual(yield* Stream.runCollect(told), items)
    }))
  it.effect("tells the switch to onSwitch and to the recorder, once, before the fallback starts", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      class Lost extends Schema.TaggedError<Lost>()("Lost", {}) {}
      const told = Stream.make("a").pipe(
        Stream.concat(Stream.fail(new Lost())),
        Fallback.stream({
          name: "letters",
          mode: "restart",
          onSwitch: ({ delivered, last, name }) =>
            Effect.sync(() => log.push(`${name} left after ${delivered}, ${last}`)),
          fallback: () => Stream.fromEffect(Effect.sync(() => log.push("fallback started")))
        })
      )
      yield* Stream.runDrain(told).pipe(
        Recorder.recordTo((report) => {
          if (report._tag === "FallbackUsed") log.push(`${report._tag} ${report.name} ${report.trigger}`)
        })
      )
      assert.deepStrictEqual(log, ["FallbackUsed letters Lost", "letters left after 1, a", "fallback started"])
    }))
  it.effect("releases the first source before the fallback starts", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const held = Stream.unwrap(
        Effect.as(
          Effect.acquireRelease(Effect.void, () => Effect.sync(() => void log.push("released"))),
          source([1], 1).stream
        )
      )
      yield* Stream.runDrain(Fallback.stream(held, {
        mode: "restart",
        fallback: () => Stream.fromEffect(Effect.sync(() => log.push("fallback")))
      }))
      assert.deepStrictEqual(log, ["released", "fallback"])
    }))
  it.effect("never falls back on an interruption, its own or one that a source brings", () =>
    Effect.gen(function*() {
      let asked = 0
      const guard = <A>(self: Stream.Stream<A, string>) =>
        Fallback.stream(self, {
          mode: "restart",
          on: { defects: true },
          fallback: () => {
            asked++
            return Stream.empty
          }
        })
      const fiber = yield* Effect.forkChild(Stream.runDrain(guard(Stream.never)), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      const brought = yield* Effect.exit(Stream.runDrain(guard(Stream.fromEffect(Effect.interrupt))))
      assert.isTrue(Exit.isFailure(brought) && Cause.hasInterruptsOnly(brought.cause))
      assert.strictEqual(asked, 0)
    }))
  it.effect("leaves defects alone unless asked", () =>
    Effect.gen(function*() {
      const broken: Stream.Stream<string, string> = Stream.die("bug")
      const options = { mode: "restart" as const, fallback: () => Stream.make("x") }
      assert.deepStrictEqual(errorsOf((yield* consume(Fallback.stream(broken, options))).exit), ["bug"])
      const asked = Fallback.stream(broken, { ...options, on: { defects: true } })
      assert.deepStrictEqual(yield* Stream.runCollect(asked), ["x"])
    }))
  it.effect("waits as its schedule says between runs, and gives it no fresh start at an item", () =>
    Effect.gen(function*() {
      const { runs, stream } = source([1, 1, 1, 1, 1, 1], 1)
      const told = Fallback.stream(stream, {
        mode: "restart",
        retry: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(2)]),
        fallback: () => Stream.make("z")
      })
      const fiber = yield* Effect.forkChild(Stream.runCollect(told), { startImmediately: true })
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(runs.length, 1)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["a", "a", "a", "z"])
      assert.strictEqual(runs.length, 3)
    }))
  it.effect("retries only what is worth a fallback", () =>
    Effect.gen(function*() {
      const { runs, stream } = source([0, 0, 0], 1)
      const told = Fallback.stream(stream, {
        mode: "restart",
        on: (failure) => failure === "something else",
        retry: Schedule.recurs(2),
        fallback: () => whole(1)
      })
      assert.deepStrictEqual(errorsOf((yield* consume(told)).exit), ["broken"])
      assert.strictEqual(runs.length, 1)
    }))
})

describe("Fallback.stream, when the user's own functions throw", () => {
  const bug = new Error("bug")
  const throws = (): never => {
    throw bug
  }
  it.effect.prop("tells the fallback's, the predicate's and onSwitch's error beside the cause", [Position, Chunk], ([
    n,
    chunk
  ]) =>
    Effect.gen(function*() {
      const base = { mode: "restart" as const, fallback: () => Stream.make("z") }
      const stream = Stream.suspend(() => source([n], chunk).stream)
      for (
        const told of [
          Fallback.stream(stream, { ...base, fallback: throws }),
          Fallback.stream(stream, { ...base, fallback: () => Stream.suspend((): Stream.Stream<string> => throws()) }),
          Fallback.stream(stream, { ...base, on: throws }),
          Fallback.stream(stream, { ...base, on: throws, retry: Schedule.recurs(2) }),
          Fallback.stream(stream, { ...base, onSwitch: throws }),
          Fallback.stream(stream, { ...base, onSwitch: () => Effect.die(bug) }),
          Fallback.stream(stream, {
            ...base,
            retry: Schedule.modifyDelay(Schedule.recurs(2), () => Effect.sync(throws))
          })
        ]
      ) {
        const { exit, seen } = yield* consume(told)
        assert.deepStrictEqual(seen, items.slice(0, n))
        assert.deepStrictEqual(errorsOf(exit), ["broken", bug])
      }
    }))
  it.effect.prop("tells resumeBy's error beside the cause", [Position, Chunk], ([n, chunk]) =>
    Effect.gen(function*() {
      const { exit } = yield* consume(Fallback.stream(source([n], chunk).stream, {
        mode: { resumeBy: throws },
        fallback: ({ delivered }) => Stream.fromIterable(items.slice(delivered))
      }))
      assert.deepStrictEqual(errorsOf(exit), n === 0 ? [] : ["broken", bug])
    }))
  it.effect.prop("delivers what came before the item whose key throws, in either source", [Position, Chunk], ([
    n,
    chunk
  ]) =>
    Effect.gen(function*() {
      const { exit, seen } = yield* consume(Fallback.stream(source([n], chunk).stream, {
        mode: { dedupeBy: (item: string) => item === "c" ? throws() : item },
        on: { defects: true },
        fallback: () => whole(chunk)
      }))
      assert.deepStrictEqual(seen, ["a", "b"])
      assert.deepStrictEqual(errorsOf(exit), n >= 3 ? [bug] : ["broken", bug])
    }))
})

describe("the mode of a fallback for streams", () => {
  it("is asked for when it is built: no mode repeats items by default", () => {
    const fallback = () => Stream.empty
    const plan = ExecutionPlan.make({ provide: Context.empty() })
    for (const mode of [undefined, null, "", "restrat", 1, {}, { dedupeby: () => 1 }, { dedupeBy: "id" }]) {
      const options = { mode, fallback } as never
      const built: ReadonlyArray<readonly [string, () => unknown]> = [
        ["Fallback.stream", () => Fallback.stream(Stream.empty, options)],
        ["Fallback.streamMarked", () => Fallback.streamMarked(Stream.empty, options)],
        ["Fallback.planStream", () => Fallback.planStream(Stream.empty, plan, options)]
      ]
      for (const [module, build] of built) {
        assert.throws(build, InvalidOption.InvalidOption, `${module}: mode must be one of fail, restart`)
      }
    }
  })
})
