/**
 * What the server knows about the request it is answering: one small mutable object for each request, made by the
 * outermost stage and read by all others.
 *
 * Stages write what they learn (the request id, the route's template, who the caller is, which stage answered) and the
 * headers that every outcome must carry. A single pre-response handler puts those headers on whatever is sent, so they
 * reach a 404, a 405 and a 500 as well. The access log reads the rest when the body has left.
 *
 * Use it in a stage of your own; a handler rarely needs more than {@link current}.
 *
 * **Gotchas**
 *
 * - It holds safe values only: no header of the request, no body, no query string. Keep it so, everything in it may be
 *   logged.
 * - It ends with the request. Do not keep it.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Exchange } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * // Outside a request there is none.
 * assert.ok(Option.isNone(await Effect.runPromise(Exchange.current)))
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, type Exit, type Fiber, type Option } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import type * as Recorder from "../lifecycle/Recorder.ts"
import type { StageName } from "../lifecycle/Stage.ts"
import { headerName, headerValue } from "../resilience/InvalidOption.ts"
import * as vary from "./internal/vary.ts"

/**
 * What is known about the request so far.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  readonly service: string
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** The address of the socket's other end; `undefined` on a unix socket. */
  readonly peer: string | undefined
  readonly startNanos: bigint
  requestId: string
  /** The template of the matched route, such as `/users/:id`. */
  route: string | undefined
  userId: string | undefined
  /** What the request's log lines carry: `CurrentLogAnnotations` of its fiber, for stages to add to. */
  readonly logAnnotations: Record<string, unknown>
  /** The stage that answered, where it was not the handler. */
  answeredBy: StageName | undefined
  /** The status that was sent; 0 until then. */
  status: number
  /** Headers for every outcome that the response's own win over, in lower case. */
  defaultHeaders: Readonly<Record<string, string>>
  /** Headers for every outcome, in lower case. They win over the response's own. */
  readonly headers: Record<string, string>
  /** Headers for the handler's own answer, in lower case; dropped when a problem takes its place. */
  answerHeaders: Record<string, string> | undefined
  /** What the answer depends on beside the URL, for `Vary`. */
  vary: string | undefined
  /** What `Negotiation` has chosen, as ETags name it; `undefined` for the first of what is offered. */
  variant: string | undefined
  /** Who packs the body, where somebody does. */
  encoder: Encoder | undefined
  /** Whether the caller may see how the time was spent. */
  showTiming: boolean
  /** Whether anyone will look at {@link State.laps}. */
  timed: boolean
  readonly laps: Array<Recorder.StageTimed>
  /** The clock and who listens to the laps, looked up once a request. */
  readonly clock: Clock.Clock
  readonly recorder: Recorder.Recorder | undefined
  /** Where the next lap begins. */
  lapStart: bigint
  /** How many measured parts are running, one in the other. */
  depth: number
  /** Called once, when the last byte of the body has been handed over, or never will be. */
  ended: ((exit: Exit.Exit<unknown, unknown>, bodyBytes: number | undefined) => void) | undefined
  /** Whether the handler has been measured by itself. */
  handled: boolean
}

/**
 * Packs the bodies of answers. See `Compression`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Encoder {
  /**
   * The coding for this answer, or none. Writes what follows from it into `headers`, which are the answer's own, in lower
   * case and complete.
   */
  readonly choose: (
    request: HttpServerRequest.HttpServerRequest,
    response: HttpServerResponse.HttpServerResponse,
    headers: Record<string, string>
  ) => string | undefined
  readonly encode: (
    response: HttpServerResponse.HttpServerResponse,
    coding: string
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse>
}

/**
 * The request that is being answered.
 *
 * @category services
 * @since 0.1.0
 */
export class Exchange extends Context.Service<Exchange, State>()("effect-lifecycle/server/Exchange") {}

/**
 * The state of the running request, or none outside of one.
 *
 * @category accessors
 * @since 0.1.0
 */
export const current: Effect.Effect<Option.Option<State>> = Effect.withFiber((fiber) =>
  Effect.succeed(Context.getOption(fiber.context, Exchange))
)

/**
 * Sets a header on the answer of the running handler, such as `Location`. It is dropped when the handler fails after all,
 * and ignored outside a request. Throws `InvalidOption` for what can be no header, which is a bug and leaves as one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const setHeader = (name: string, value: string): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const state = Context.getOrUndefined(fiber.context, Exchange)
    if (state !== undefined) {
      ;(state.answerHeaders ??= {})[headerName("Exchange.setHeader", "name", name)] = headerValue(
        "Exchange.setHeader",
        name,
        value
      )
    }
    return Effect.void
  })

/**
 * Says that the answer depends on a header of the request, so that a cache keeps one for each value. It joins what else is
 * in `Vary`, on every outcome.
 *
 * @category combinators
 * @since 0.1.0
 */
export const addVary = (header: string): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const state = Context.getOrUndefined(fiber.context, Exchange)
    if (state !== undefined) varyUnsafe(state, header)
    return Effect.void
  })

/**
 * {@link addVary} for a stage that holds the state.
 *
 * @category unsafe
 * @since 0.1.0
 */
export const varyUnsafe = (state: State, header: string): void => {
  state.vary = vary.joined(state.vary, header)
}

/**
 * The state of the request that `fiber` works for. For a hot path that holds its fiber.
 *
 * @category unsafe
 * @since 0.1.0
 */
export const ofUnsafe = (fiber: Fiber.Fiber<unknown, unknown>): State => {
  const state = Context.getOrUndefined(fiber.context, Exchange)
  if (state === undefined) throw new Error("No Exchange: this stage runs outside ServerStack.serve")
  return state
}

/**
 * Gives a reference a value for the rest of the request. `Effect.provideService` would do it for `next` alone, with a frame
 * that costs more than most stages; the request's own frame puts the context back when the answer was sent.
 *
 * @category unsafe
 * @since 0.1.0
 */
export const addUnsafe = <I, S>(
  fiber: Fiber.Fiber<unknown, unknown>,
  key: Context.Key<I, S>,
  value: NoInfer<S>
): void => fiber.setContext(Context.add(fiber.context, key, value))

/**
 * The monotonic nanoseconds of the clock on `fiber`.
 *
 * @category unsafe
 * @since 0.1.0
 */
export const nowUnsafe = (fiber: Fiber.Fiber<unknown, unknown>): bigint =>
  fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()

/**
 * Ends the running lap under `stage` and begins the next. Does nothing when nobody will look.
 *
 * @category unsafe
 * @since 0.1.0
 */
export const lapUnsafe = (
  state: State,
  fiber: Fiber.Fiber<unknown, unknown>,
  stage: StageName,
  name: string
): void => {
  if (!state.timed) return
  const now = state.clock.monotonicTimeNanosUnsafe()
  recordUnsafe(state, fiber, { _tag: "StageTimed", stage, name, startNanos: state.lapStart, endNanos: now })
  state.lapStart = now
}

/**
 * Adds a stretch that was measured elsewhere. The stretches of a request are reported together, as `StagesTimed`, when its
 * answer is ready: one after the other while it runs they would cost twice as much.
 *
 * @category unsafe
 * @since 0.1.0
 */
export const recordUnsafe = (
  state: State,
  fiber: Fiber.Fiber<unknown, unknown>,
  lap: Recorder.StageTimed
): void => {
  if (state.status === 0) state.laps.push(lap)
  else state.recorder?.({ _tag: "StagesTimed", stages: [lap] }, fiber)
}
