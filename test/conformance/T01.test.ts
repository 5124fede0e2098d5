import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Schedule, Schema, Stream } from "effect"
import { Fallback } from "effect-lifecycle/resilience"

const all = ["a", "b", "c", "d"]
const breaksAfter = (n: number, chunk: number): Stream.Stream<string, string> =>
  Stream.fromIterable(all.slice(0, n)).pipe(Stream.rechunk(chunk), Stream.concat(Stream.fail("connection lost")))

const Position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))
const Chunk = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))

describe("T01: a stream's switch never repeats an item unless the caller asked, and can be seen", () => {
  it.effect("dedupeBy: a, b from the primary and a to d from the fallback are a to d, once each", () =>
    Effect.gen(function*() {
      const told = Fallback.stream(breaksAfter(2, 1), {
        mode: { dedupeBy: (item: string) => item },
        fallback: () => Stream.fromIterable(all)
      })
      assert.deepStrictEqual(yield* Stream.runCollect(told), ["a", "b", "c", "d"])
    }))
  it.effect("restart, asked for: a, b from the primary, then a, b, c, d from the fallback", () =>
    Effect.gen(function*() {
      const told = Fallback.stream(breaksAfter(2, 1), { mode: "restart", fallback: () => Stream.fromIterable(all) })
      assert.deepStrictEqual(yield* Stream.runCollect(told), ["a", "b", "a", "b", "c", "d"])
    }))
  it.effect("fail: after the first item the failure stands", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const told = Fallback.stream(breaksAfter(2, 1), { mode: "fail", fallback: () => Stream.fromIterable(all) })
      const error = yield* Effect.flip(Stream.runForEach(told, (item) => Effect.sync(() => void seen.push(item))))
      assert.strictEqual(error, "connection lost")
      assert.deepStrictEqual(seen, ["a", "b"])
    }))
  it.effect.prop("the fallback is told what was delivered, the last key and the cause", [Position, Chunk], ([
    n,
    chunk
  ]) =>
    Effect.gen(function*() {
      const told = Fallback.stream(breaksAfter(n, chunk), {
        mode: { resumeBy: (item: string) => all.indexOf(item) },
        fallback: ({ cause, delivered, last, lastKey }) => {
          assert.strictEqual(delivered, n)
          assert.strictEqual(last, all[n - 1])
          assert.strictEqual(lastKey, n === 0 ? undefined : n - 1)
          assert.strictEqual(Cause.squash(cause), "connection lost")
          return Stream.fromIterable(all.slice((lastKey ?? -1) + 1))
        }
      })
      assert.deepStrictEqual(yield* Stream.runCollect(told), all)
    }))
  it.effect.prop("no mode but restart repeats an item, retries in the step included", [Position, Position, Chunk], ([
    n,
    m,
    chunk
  ]) =>
    Effect.gen(function*() {
      for (const mode of ["fail", "resume", { dedupeBy: (item: string) => item }] as const) {
        let runs = 0
        const seen: Array<string> = []
        const primary = Stream.suspend(() => breaksAfter(runs++ === 0 ? n : m, chunk))
        const told = Fallback.stream(primary, {
          mode,
          retry: Schedule.recurs(3),
          fallback: ({ delivered }) => Stream.fromIterable(mode === "resume" ? all.slice(delivered) : all)
        })
        yield* Effect.exit(Stream.runForEach(told, (item) => Effect.sync(() => void seen.push(item))))
        assert.deepStrictEqual(seen, all.slice(0, seen.length))
        assert.isTrue(mode === "fail" || seen.length === all.length)
      }
    }))
  it.effect("the switch is a marker in the stream, and a call of onSwitch", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const marked = Fallback.streamMarked(breaksAfter(2, 2), {
        name: "letters",
        mode: { dedupeBy: (item: string) => item },
        onSwitch: ({ delivered, lastKey }) => Effect.sync(() => void told.push(`after ${delivered}, ${lastKey}`)),
        fallback: () => Stream.fromIterable(all)
      })
      const seen = yield* Stream.runCollect(marked)
      assert.deepStrictEqual(
        seen.map((element) => typeof element === "string" ? element : element._tag),
        ["a", "b", "FallbackSwitched", "c", "d"]
      )
      assert.deepStrictEqual(told, ["after 2, b"])
    }))
})
