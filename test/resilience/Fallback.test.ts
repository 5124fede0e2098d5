import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema, Stream } from "effect"
import { Fallback } from "effect-lifecycle/resilience"

const items = ["a", "b", "c", "d"]
const breaksAfter = (n: number) =>
  Stream.fromIterable(items.slice(0, n)).pipe(Stream.rechunk(1), Stream.concat(Stream.fail("broken")))
const collect = <A, E>(stream: Stream.Stream<A, E>) => Effect.exit(Stream.runCollect(stream))
const Break = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))

describe("Fallback.stream", () => {
  it.effect.prop(
    "dedupeBy delivers every item once, wherever the first stream breaks",
    [Break],
    ([n]) =>
      Effect.gen(function*() {
        const told = Fallback.stream(breaksAfter(n), {
          mode: { dedupeBy: (item) => item },
          fallback: () => Stream.fromIterable(items)
        })
        assert.deepStrictEqual(yield* Stream.runCollect(told), items)
      })
  )
  it.effect.prop("resume continues after the last delivered item", [Break], ([n]) =>
    Effect.gen(function*() {
      const told = Fallback.stream(breaksAfter(n), {
        mode: "resume",
        fallback: ({ delivered, last }) => {
          assert.strictEqual(last, items[n - 1])
          return Stream.fromIterable(items.slice(delivered))
        }
      })
      assert.deepStrictEqual(yield* Stream.runCollect(told), items)
    }))
  it.effect("restart repeats what was delivered", () =>
    Effect.gen(function*() {
      const told = Fallback.stream(breaksAfter(2), { mode: "restart", fallback: () => Stream.fromIterable(items) })
      assert.deepStrictEqual(yield* Stream.runCollect(told), ["a", "b", "a", "b", "c", "d"])
    }))
  it.effect("fail falls back only before the first item", () =>
    Effect.gen(function*() {
      const told = (n: number) =>
        Fallback.stream(breaksAfter(n), { mode: "fail", fallback: () => Stream.fromIterable(items) })
      assert.deepStrictEqual(yield* Stream.runCollect(told(0)), items)
      assert.strictEqual(yield* Effect.flip(Stream.runCollect(told(1))), "broken")
    }))
  it.effect("keeps both causes when both fail", () =>
    Effect.gen(function*() {
      const exit = yield* collect(
        Fallback.stream(breaksAfter(1), { mode: "restart", fallback: () => Stream.fail("also broken") })
      )
      const errors = Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isFailReason).map((r) => r.error) : []
      assert.deepStrictEqual(errors, ["broken", "also broken"])
    }))
  it.effect("leaves defects alone unless asked", () =>
    Effect.gen(function*() {
      const broken: Stream.Stream<string, string> = Stream.die("bug")
      const options = { mode: "restart" as const, fallback: () => Stream.make("x") }
      assert.isTrue(Exit.isFailure(yield* collect(Fallback.stream(broken, options))))
      const asked = Fallback.stream(broken, { ...options, shouldFallback: () => true })
      assert.deepStrictEqual(yield* Stream.runCollect(asked), ["x"])
    }))
})
