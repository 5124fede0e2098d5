/**
 * What the last requests did: a bounded memory of reports, by request id, from which a request can be told afterwards.
 *
 * {@link layer} keeps for each request the stages it passed, the commands, calls, attempts and steps of sagas that ran for it,
 * and its outcome. {@link story} gives them back as parts of a `lifecycle/Story`, {@link recent} the latest requests,
 * {@link changes} each one as it ends, {@link standing} how guards, subscriptions and outboxes stand.
 * `server/LifecyclePage` serves all of it.
 *
 * Keeping costs a lookup and a push for each report: the report itself is kept, and nothing is computed or formatted before
 * somebody looks. Memory is bounded twice: so many request ids, and about so many bytes. What is over goes, the oldest request
 * first; one request keeps at most {@link maxSteps} reports and counts the rest.
 *
 * Work belongs to the request whose id its fiber carries as log annotation `requestId`, as `server/RequestIds` and
 * `request/RequestId.provide` set it, whichever fiber does it and also when the answer has long been sent.
 *
 * **Gotchas**
 *
 * - No path, header, query, body, payload or cause is kept; names are cut after 128 characters. Request and user ids are.
 * - It is the memory of one process, gone with it, and no audit log. Two processes of a service have two.
 * - `capacity` requests go by quickly on a busy server: a story is there for the last minutes, not for last week.
 * - Requests for health, metrics and the page itself are left out; see `ignore`.
 *
 * @example
 * ```ts
 * import { Clock, Effect } from "effect"
 * import { Recorder } from "effect-lifecycle/lifecycle"
 * import { Journal } from "effect-lifecycle/observability"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const startNanos = yield* Clock.monotonicTimeNanos
 *   yield* Recorder.report(() => ({
 *     _tag: "CommandEnded", name: "orders.Place", kind: "command", outcome: "success", errorTag: undefined,
 *     startNanos, endNanos: startNanos + 2_000_000n
 *   }))
 *   return yield* Journal.story("r-1")
 * }).pipe(
 *   Effect.annotateLogs({ requestId: "r-1" }),
 *   Effect.provide(Journal.layer({ service: "orders", capacity: 100 }))
 * )
 *
 * const [part] = await Effect.runPromise(program)
 * assert.deepEqual(part?.steps.map(({ name, durationMillis }) => [name, durationMillis]), [["orders.Place", 2]])
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Queue, Stream } from "effect"
import type * as Standing from "../lifecycle/Standing.ts"
import type * as Story from "../lifecycle/Story.ts"
import { install } from "./internal/hub.ts"
import { Memory } from "./internal/journalMemory.ts"

export { maxSteps } from "./internal/journalMemory.ts"

/**
 * How much is remembered, and of what.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name of the service, as it stands in its parts. */
  readonly service: string
  /** How many request ids are remembered, from 1; 1000 when absent. */
  readonly capacity?: number | undefined
  /** About how many bytes all of it may take, from 10,000; 16,000,000 when absent. */
  readonly maximumBytes?: number | undefined
  /**
   * Templates of routes whose requests are forgotten at once; one that ends in `/*` means everything below. Health, metrics
   * and the page when absent.
   */
  readonly ignore?: ReadonlyArray<string> | undefined
}

/**
 * The memory of one service.
 *
 * @category services
 * @since 0.1.0
 */
export class Journal extends Context.Service<Journal, {
  readonly service: string
  /** What is known of a request, in the order it began; empty when nothing is, or not any more. */
  readonly story: (requestId: string) => Effect.Effect<ReadonlyArray<Story.Part>>
  /** The requests that have ended last, newest first; 100 of them when no number is given. */
  readonly recent: (limit?: number) => Effect.Effect<ReadonlyArray<Story.Part>>
  /** Each request as it ends. A reader that falls behind misses the oldest. */
  readonly changes: Stream.Stream<Story.Part>
  readonly standing: Effect.Effect<Standing.Standing>
  /** How much is remembered now. */
  readonly size: Effect.Effect<{ readonly requests: number; readonly bytes: number }>
}>()("effect-lifecycle/observability/Journal") {}

/**
 * The routes that are forgotten when nothing else is said.
 *
 * @category constants
 * @since 0.1.0
 */
export const ignored: ReadonlyArray<string> = ["/health/*", "/metrics", "/lifecycle", "/lifecycle/*"]

/**
 * Remembers what is reported, beside the listeners that are there already.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Journal> =>
  Layer.unwrap(Effect.sync(() => {
    const memory = new Memory({
      service: options.service,
      capacity: atLeast(1, options.capacity ?? 1000),
      maximumBytes: atLeast(10_000, options.maximumBytes ?? 16_000_000),
      ignores: matcher(options.ignore ?? ignored)
    })
    return Layer.merge(Layer.succeed(Journal, serviceOf(memory)), install(() => memory.record))
  }))

/**
 * {@link Journal.story} of the journal in force.
 *
 * @category accessors
 * @since 0.1.0
 */
export const story = (requestId: string): Effect.Effect<ReadonlyArray<Story.Part>, never, Journal> =>
  Journal.use((journal) => journal.story(requestId))

/**
 * {@link Journal.recent} of the journal in force.
 *
 * @category accessors
 * @since 0.1.0
 */
export const recent: Effect.Effect<ReadonlyArray<Story.Part>, never, Journal> = Journal.use((journal) =>
  journal.recent()
)

/**
 * {@link Journal.changes} of the journal in force.
 *
 * @category accessors
 * @since 0.1.0
 */
export const changes: Stream.Stream<Story.Part, never, Journal> = Stream.unwrap(
  Effect.map(Journal, (journal) => journal.changes)
)

/**
 * {@link Journal.standing} of the journal in force.
 *
 * @category accessors
 * @since 0.1.0
 */
export const standing: Effect.Effect<Standing.Standing, never, Journal> = Journal.use((journal) => journal.standing)

/** So many ended requests wait for a slow reader. */
const waiting = 256

const serviceOf = (memory: Memory): Journal["Service"] => ({
  service: memory.options.service,
  story: (requestId) => Effect.withFiber((fiber) => Effect.succeed(memory.story(requestId, fiber))),
  recent: (limit = 100) => Effect.withFiber((fiber) => Effect.succeed(memory.recent(limit, fiber))),
  changes: Stream.callback<Story.Part>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const listener = (part: () => Story.Part) => Queue.offerUnsafe(queue, part())
        memory.listeners.add(listener)
        return listener
      }),
      (listener) => Effect.sync(() => memory.listeners.delete(listener))
    ), { bufferSize: waiting, strategy: "sliding" }),
  standing: Effect.sync(() => memory.standing.read()),
  size: Effect.sync(() => ({ requests: memory.requests, bytes: memory.bytes }))
})

const atLeast = (least: number, value: number): number => Number.isFinite(value) ? Math.max(least, value) : least

const matcher = (templates: ReadonlyArray<string>) => (route: string): boolean =>
  templates.some((template) =>
    template === route || (template.endsWith("/*") && route.startsWith(template.slice(0, -1)))
  )
