/**
 * Something else to do when the first choice fails: for an effect, a handler of requests or events, a stream, or a plan of
 * several steps.
 *
 * One rule decides for all of them ({@link shouldFallback}): any typed failure, or those that `on` lists, and an open
 * circuit; never an interruption, and a defect only when asked. The fallback sees the cause of the first failure. When both
 * fail, both causes survive in one `Cause`, the first first. A fallback, a predicate or a key function that throws is told
 * the same way.
 *
 * A breaker guards the first choice only. Shared by several handlers, it keeps one circuit for each name, and it counts a
 * stream as a success only when that completes.
 *
 * When a stream fails after some items have been delivered, no answer is right for everybody, so the mode is required:
 *
 * - `"fail"`: after the first delivered item the failure stands; before it, the fallback starts.
 * - `"restart"`: the fallback runs from its own start; items may repeat, and the caller says that this is fine.
 * - `"resume"`, `{ resumeBy: key }`: the fallback is asked to continue after what was delivered.
 * - `{ dedupeBy: key }`: the fallback runs from its start, and an item whose key was delivered is dropped.
 *
 * The switch can be seen in three ways: `onSwitch`, a marker in the stream ({@link streamMarked}), and a `FallbackUsed`
 * report to the `Recorder`.
 *
 * **Gotchas**
 *
 * - Items arrive in arrays, and an array is delivered when the consumer takes it. A source that loses items it had not yet
 *   handed over, such as one that fails inside `Stream.map`, has not delivered them.
 * - `dedupeBy` drops every repeated key, also within one source, and remembers every key for as long as the stream runs.
 * - `retry` cannot run a source again after an item was delivered, except in the modes `"restart"` and `dedupeBy`.
 * - The failure of the first choice stays in the error type: it is there when both fail.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Fallback } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const price = Effect.fail("price service is down").pipe(
 *   Fallback.effect({ name: "price", fallback: () => Effect.succeed(100) })
 * )
 * assert.equal(await Effect.runPromise(price), 100)
 *
 * const primary = Stream.make("a", "b").pipe(Stream.concat(Stream.fail("connection lost")))
 * const told = primary.pipe(
 *   Fallback.stream({ mode: { dedupeBy: (item) => item }, fallback: () => Stream.make("a", "b", "c", "d") }),
 *   Stream.runCollect
 * )
 * assert.deepEqual(await Effect.runPromise(told), ["a", "b", "c", "d"])
 * ```
 *
 * @since 0.1.0
 */
export { type Broken, isSwitched, type Keyed, type Mode, Switched } from "./internal/fallbackDelivery.ts"
export { effect, type EffectOptions } from "./internal/fallbackEffect.ts"
export {
  event,
  type EventOptions,
  type Handler,
  handler,
  type HandlerOptions,
  type SecondHandler
} from "./internal/fallbackHandler.ts"
export {
  plan,
  type PlanMode,
  type PlanOptions,
  planStream,
  type PlanStreamOptions,
  type StepSwitched
} from "./internal/fallbackPlan.ts"
export {
  byVerdict,
  isOpenCircuit,
  type Listed,
  type On,
  type Policy,
  shouldFallback
} from "./internal/fallbackPolicy.ts"
export { stream, streamMarked, type StreamOptions } from "./internal/fallbackStream.ts"
export { type Breaker, type BreakerFailure } from "./internal/fallbackSwitch.ts"
