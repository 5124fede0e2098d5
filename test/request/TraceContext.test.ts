import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Result, Schema } from "effect"
import { TraceContext } from "effect-lifecycle/request"

const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
const span = "00f067aa0ba902b7"

describe("TraceContext", () => {
  it("reads version 00", () => {
    assert.deepStrictEqual(
      TraceContext.parse(`00-${trace}-${span}-01`, "rojo=1,congo=2"),
      Result.succeed({ traceId: trace, spanId: span, sampled: true, tracestate: Option.some("rojo=1,congo=2") })
    )
    const unsampled = Result.getOrThrow(TraceContext.parse(`00-${trace}-${span}-02`))
    assert.deepStrictEqual([unsampled.sampled, unsampled.tracestate], [false, Option.none()])
  })

  it("reads a higher version by its prefix", () => {
    assert.isTrue(Result.isSuccess(TraceContext.parse(`01-${trace}-${span}-01`)))
    assert.isTrue(Result.isSuccess(TraceContext.parse(`cc-${trace}-${span}-01-what-the-future-holds`)))
    assert.isTrue(Result.isFailure(TraceContext.parse(`cc-${trace}-${span}-01.what`)))
  })

  it("refuses what is malformed", () => {
    const bad = [
      "",
      `00-${trace}-${span}`,
      `00-${trace}-${span}-01-more`,
      `ff-${trace}-${span}-01`,
      `00-${"0".repeat(32)}-${span}-01`,
      `00-${trace}-${"0".repeat(16)}-01`,
      `00-${trace.toUpperCase()}-${span}-01`,
      `00-${trace}0-${span}-01`,
      `00-${trace}-${span}-1`,
      `00-${trace}-${span}-01\n`,
      ` 00-${trace}-${span}-01`,
      `00-${trace}-${span}-01, 00-${trace}-${span}-01`,
      "0".repeat(10_240)
    ]
    for (const value of bad) assert.isTrue(Result.isFailure(TraceContext.parse(value)), value.slice(0, 80))
  })

  it.effect.prop("never throws", [Schema.String], ([text]) =>
    Effect.sync(() => {
      TraceContext.parse(text)
    }))

  it("encodes a span, fills up a short trace id and leaves out what W3C cannot carry", () => {
    const encoded = (traceId: string, spanId: string) => TraceContext.encode({ traceId, spanId, sampled: true })
    assert.deepStrictEqual(encoded(trace, span), Option.some(`00-${trace}-${span}-01`))
    assert.deepStrictEqual(
      encoded("a3ce929d0e0e4736", span),
      Option.some(`00-${"0".repeat(16)}a3ce929d0e0e4736-${span}-01`)
    )
    assert.deepStrictEqual(encoded("not hex", span), Option.none())
    assert.deepStrictEqual(encoded(trace, "1"), Option.none())
  })
})
