import { assert } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"
import { differs, equal, type Topic } from "../ported.ts"

class StreamLost extends Schema.TaggedError<StreamLost>()("StreamLost", {}) {}
class OtherFailure extends Schema.TaggedError<OtherFailure>()("OtherFailure", {}) {}

const ids = ["a", "b", "c", "d"]

/** The example of the documentation: a and b, then the connection is lost. */
const breaks = (log: Array<string> = []) =>
  Stream.concat(
    Stream.fromEffectDrain(Effect.sync(() => void log.push("primary"))),
    Stream.concat(Stream.make("a", "b"), Stream.fail(new StreamLost()))
  )

const whole = (log: Array<string> = []) => {
  log.push("fallback")
  return Stream.fromIterable(ids)
}

const breaker = (failures: number) =>
  CircuitBreaker.make({
    name: "streams",
    trip: CircuitBreaker.consecutive(failures),
    breakDuration: "60 seconds"
  })

/** Fallbacks of streams. */
export const cqrsStreams: Topic = {
  source: "python-cqrs",
  title: "python-cqrs: fallbacks of streams",
  file: "cqrsStreams.ts",
  behaviours: [
    equal(
      "stream-restart",
      "delivers a, b and then a, b, c, d when the fallback starts from its own start",
      () =>
        Effect.gen(function*() {
          const stream = Fallback.stream(breaks(), { mode: "restart", fallback: () => whole() })
          assert.deepStrictEqual(yield* Stream.runCollect(stream), ["a", "b", ...ids])
        })
    ),
    differs("stream-mode", {
      theirs: "always starts the fallback from its own start, so items repeat; the caller may remove them",
      ours: "asks for the mode, which has no default: fail, restart, resume or dedupe by key",
      reason: "no answer is right for everybody, and a silent repetition is right for nobody",
      rule: "T01"
    }, () =>
      Effect.gen(function*() {
        const dedupe = Fallback.stream(breaks(), { mode: { dedupeBy: (id) => id }, fallback: () => whole() })
        assert.deepStrictEqual(yield* Stream.runCollect(dedupe), ids)
        const resume = Fallback.stream(breaks(), {
          mode: "resume",
          fallback: ({ delivered }) => Stream.fromIterable(ids.slice(delivered))
        })
        assert.deepStrictEqual(yield* Stream.runCollect(resume), ids)
        const fail = Fallback.stream(breaks(), { mode: "fail", fallback: () => whole() })
        assert.strictEqual((yield* Effect.flip(Stream.runCollect(fail)))._tag, "StreamLost")
      })),
    differs("stream-broken", {
      theirs: "gives the fallback the request alone",
      ours: "gives it how many items were delivered, the last one, and the cause",
      reason: "a fallback that shall continue has to know where",
      rule: "T01"
    }, () =>
      Effect.gen(function*() {
        let seen: ReadonlyArray<unknown> = []
        const stream = Fallback.stream(breaks(), {
          mode: "resume",
          fallback: ({ cause, delivered, last }) => {
            seen = [delivered, last, cause.reasons.map((reason) => reason._tag)]
            return Stream.make("c", "d")
          }
        })
        yield* Stream.runDrain(stream)
        assert.deepStrictEqual(seen, [2, "b", ["Fail"]])
      })),
    differs("stream-marker", {
      theirs: "leaves no trace of the switch",
      ours: "tells of it, before the first item of the fallback",
      reason: "a consumer may want to say that what follows is older",
      rule: "T01"
    }, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const stream = Fallback.stream(breaks(), {
          mode: "restart",
          fallback: () => whole(),
          onSwitch: ({ delivered }) => Effect.sync(() => void log.push(`switched after ${delivered}`))
        })
        yield* Stream.runForEach(stream, (id) => Effect.sync(() => void log.push(id)))
        assert.deepStrictEqual(log, ["a", "b", "switched after 2", ...ids])
      })),
    differs("stream-lazy", {
      theirs: "builds both handlers before the first item",
      ours: "builds the fallback when it is needed",
      reason: "a stream that does not break needs no second connection"
    }, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const stream = Fallback.stream(Stream.make("a"), { mode: "restart", fallback: () => whole(log) })
        assert.deepStrictEqual(yield* Stream.runCollect(stream), ["a"])
        assert.deepStrictEqual(log, [])
      })),
    equal("stream-listed", "lets a failure that is not in the list end the stream", () =>
      Effect.gen(function*() {
        const primary = Stream.concat(Stream.make("a"), Stream.fail<StreamLost | OtherFailure>(new OtherFailure()))
        const stream = Fallback.stream(primary, {
          mode: "restart",
          on: ["StreamLost"],
          fallback: () => whole()
        })
        assert.strictEqual((yield* Effect.flip(Stream.runCollect(stream)))._tag, "OtherFailure")
      })),
    differs("stream-breaker", {
      theirs: "takes a breaker for a stream and never asks it: three runs called the primary three times",
      ours: "does not run the primary while the circuit is open",
      reason: "the documentation promises it",
      rule: "T02"
    }, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const stream = Fallback.stream(breaks(log), {
          name: "items.primary",
          mode: "restart",
          fallback: () => whole(log),
          breaker: yield* breaker(1)
        })
        yield* Effect.forEach([1, 2, 3], () => Stream.runDrain(stream))
        assert.deepStrictEqual(log, ["primary", "fallback", "fallback", "fallback"])
      })),
    differs("stream-consumer", {
      theirs: "says nothing of a consumer who leaves early",
      ours: "counts it neither as a success nor as a failure",
      reason: "half a stream proves nothing",
      rule: "T02"
    }, () =>
      Effect.gen(function*() {
        const circuit = yield* breaker(2)
        const key = "items.primary"
        yield* Effect.exit(circuit.run(key, Effect.fail("one of two")))
        const guarded = circuit.stream(key, Stream.concat(Stream.make("a", "b"), Stream.never))
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(guarded, 1)), ["a"])
        yield* Effect.exit(circuit.run(key, Effect.fail("two of two")))
        assert.strictEqual((yield* Effect.flip(circuit.run(key, Effect.void)))._tag, "CircuitOpen")
      }))
  ]
}
