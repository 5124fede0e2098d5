/**
 * W3C Trace Context: which trace a request belongs to, as `traceparent` and `tracestate` say it.
 *
 * Version `00` is read strictly; a higher version by its first 55 characters, as the specification asks of receivers that
 * do not know it; ids of zeros only and version `ff` are invalid. `tracestate` belongs to the tracing vendors: it is
 * passed on as it came, but only together with a valid `traceparent` of the same trace.
 *
 * Effect's own `HttpTraceContext` reads version `00` only and drops `tracestate`, which is why this module exists.
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import { TraceContext } from "effect-lifecycle/request"
 * import assert from "node:assert/strict"
 *
 * const parsed = TraceContext.parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
 * assert.ok(Result.isSuccess(parsed))
 * assert.equal(parsed.success.traceId, "4bf92f3577b34da6a3ce929d0e0e4736")
 * assert.equal(parsed.success.sampled, true)
 * ```
 *
 * @since 0.1.0
 */
import { Context, Option, Result, Tracer } from "effect"

/**
 * The caller's place in a trace.
 *
 * @category models
 * @since 0.1.0
 */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly traceId: string
  /** 16 lower-case hexadecimal digits, not all zero. */
  readonly spanId: string
  readonly sampled: boolean
  readonly tracestate: Option.Option<string>
}

/**
 * The trace context that the running request came with; none by default. The span of this hop is Effect's own.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<Option.Option<TraceContext>>("effect-lifecycle/request/TraceContext", {
  defaultValue: () => Option.none()
})

/**
 * Reads a `traceparent`; fails with a reason that does not quote it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (traceparent: string, tracestate?: string): Result.Result<TraceContext, string> => {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(traceparent)
  if (match === null) return Result.fail("not a traceparent")
  const [, version, traceId = "", spanId = "", flags = "", rest] = match
  if (version === "ff") return Result.fail("version ff")
  if (version === "00" && rest !== undefined) return Result.fail("not a traceparent")
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return Result.fail("id of zeros")
  return Result.succeed({
    traceId,
    spanId,
    sampled: (Number.parseInt(flags, 16) & 1) === 1,
    tracestate: tracestate === undefined || tracestate === "" ? Option.none() : Option.some(tracestate)
  })
}

/**
 * The `traceparent` of a span, in version `00`; none where its ids are not those of W3C.
 *
 * @category codecs
 * @since 0.1.0
 */
export const encode = (
  span: { readonly traceId: string; readonly spanId: string; readonly sampled: boolean }
): Option.Option<string> => {
  const text = `00-${span.traceId.padStart(32, "0")}-${span.spanId}-${span.sampled ? "01" : "00"}`
  return Result.isSuccess(parse(text)) ? Option.some(text) : Option.none()
}

/**
 * The caller's span, to be the parent of this hop's.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toExternalSpan = (self: TraceContext): Tracer.ExternalSpan =>
  Tracer.externalSpan({ traceId: self.traceId, spanId: self.spanId, sampled: self.sampled })
