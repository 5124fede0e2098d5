/**
 * How long each stage of a request took, for the caller (`Server-Timing`) and for the recorder (`StagesTimed`).
 *
 * The stack measures itself: Accept and Server where `NodeListener` listens, then Middleware, Router, Security, Validation
 * and Dependencies as the request passes them, and what remains is the handler's. {@link measure} tells more: around the
 * application's own work it separates what comes before (decoding: Validation) and after it (encoding: Response) from the
 * handler itself.
 *
 * **Gotchas**
 *
 * - Timings tell a stranger about the inside. The header goes only to trusted callers, by default those on this machine.
 *   Behind a proxy on the same machine everybody looks local: set `trust` to `"none"` there.
 * - Accept is known for the first request of a connection only.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ServerTiming } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * // Outside a request it just runs.
 * const place = ServerTiming.measure(Effect.succeed("placed"), "Handler", "orders.Place")
 * assert.equal(await Effect.runPromise(place), "placed")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect } from "effect"
import { dual } from "effect/Function"
import * as Recorder from "../lifecycle/Recorder.ts"
import type { StageName } from "../lifecycle/Stage.ts"
import * as Exchange from "./Exchange.ts"
import * as ServerStage from "./ServerStage.ts"
import * as TrustedHops from "./TrustedHops.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Who sees the header. Default `"loopback"`. */
  readonly trust?: TrustedHops.Trust | undefined
}

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage => {
  const trusts = TrustedHops.make(options.trust ?? "loopback")
  return ServerStage.outer({
    name: "server/ServerTiming",
    reports: "Response",
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        const exchange = Exchange.ofUnsafe(fiber)
        exchange.showTiming = trusts(exchange.peer)
        exchange.timed ||= exchange.showTiming
        return next
      })
  })
}

/**
 * Measures `self` as a part of `stage`, named after what it does.
 *
 * @category combinators
 * @since 0.1.0
 */
export const measure: {
  (stage: StageName, name: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, stage: StageName, name: string): Effect.Effect<A, E, R>
} = dual(
  3,
  <A, E, R>(self: Effect.Effect<A, E, R>, stage: StageName, name: string): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const exchange = Context.getOrUndefined(fiber.context, Exchange.Exchange)
      if (exchange === undefined || !exchange.timed) {
        const recorder = exchange === undefined ? fiber.getRef(Recorder.Current) : undefined
        if (recorder === undefined) return self
        const startNanos = Exchange.nowUnsafe(fiber)
        return Effect.onExit(self, () => {
          const endNanos = Exchange.nowUnsafe(fiber)
          recorder({ _tag: "StagesTimed", stages: [{ _tag: "StageTimed", stage, name, startNanos, endNanos }] }, fiber)
          return Effect.void
        })
      }
      const outermost = exchange.depth === 0
      if (outermost) {
        const before: StageName = exchange.handled ? "Response" : "Validation"
        Exchange.lapUnsafe(exchange, fiber, before, exchange.handled ? "encode" : "decode")
      }
      exchange.depth++
      const startNanos = Exchange.nowUnsafe(fiber)
      return Effect.onExit(self, () => {
        const endNanos = Exchange.nowUnsafe(fiber)
        exchange.depth--
        if (stage === "Handler") exchange.handled = true
        Exchange.recordUnsafe(exchange, fiber, { _tag: "StageTimed", stage, name, startNanos, endNanos })
        if (outermost) exchange.lapStart = endNanos
        return Effect.void
      })
    })
)

/**
 * The header's value: one entry for each stage that was met, in the order they were, in milliseconds with at most three digits after the point.
 *
 * @category getters
 * @since 0.1.0
 */
export const format = (laps: ReadonlyArray<Recorder.StageTimed>): string => {
  const stages: Array<StageName> = []
  const micros: Array<number> = []
  for (const lap of laps) {
    const took = Math.round(Number(lap.endNanos - lap.startNanos) / 1000)
    const known = stages.indexOf(lap.stage)
    if (known < 0) {
      stages.push(lap.stage)
      micros.push(took)
    } else micros[known] = (micros[known] ?? 0) + took
  }
  let header = ""
  for (let index = 0; index < stages.length; index++) {
    header += `${index === 0 ? "" : ", "}${stages[index]};dur=${millis(micros[index] ?? 0)}`
  }
  return header
}

/** Two whole numbers are written faster than a fraction. */
const millis = (micros: number): string => {
  const whole = Math.floor(micros / 1000)
  return `${whole}.${String(micros - whole * 1000).padStart(3, "0")}`
}
