/** The body of a request: passed through, or read to its end first. */
import { Deferred, Effect, type Scope } from "effect"
import { GatewayOverloaded, RequestStalled, RequestTooLarge } from "../Refusals.ts"
import type { Downstream } from "./downstream.ts"
import type { Body } from "./upstreamRequest.ts"

/** How many bytes all buffered requests of a gateway hold together. */
export interface Memory {
  readonly limitBytes: number
  usedBytes: number
}

export type BodyError = GatewayOverloaded | RequestStalled | RequestTooLarge

export interface Prepared {
  readonly body: Body
  /** Fails when the body turns out to be too large, or stops. Never succeeds. */
  readonly failed: Effect.Effect<never, BodyError> | undefined
  /** Called when the body begins to flow to a target. */
  readonly flows: () => void
}

const empty: Prepared = { body: { _tag: "Empty" }, failed: undefined, flows: () => {} }

export const prepare = (down: Downstream, options: {
  readonly buffer: "none" | "request"
  readonly limitBytes: number
  readonly idleMillis: number
  readonly memory: Memory
}): Effect.Effect<Prepared, BodyError, Scope.Scope> => {
  if (!down.hasBody) {
    onIdle(down, options.idleMillis, () => {})
    return Effect.succeed(empty)
  }
  const { limitBytes } = options
  const declared = down.declaredBytes
  if (declared !== undefined && declared > limitBytes) return Effect.fail(new RequestTooLarge({ limitBytes }))
  return Effect.gen(function*() {
    const failure = Deferred.makeUnsafe<never, BodyError>()
    const fail = (error: BodyError) => {
      if (down.headSent) down.sever("limit")
      Deferred.doneUnsafe(failure, Effect.fail(error))
    }
    onIdle(down, options.idleMillis, () => fail(new RequestStalled({ timeoutMillis: options.idleMillis })))
    if (options.buffer === "request") return yield* buffered(down, options, fail, Deferred.await(failure))
    let seen = 0
    return {
      body: { _tag: "Stream", source: down.request },
      failed: Deferred.await(failure),
      flows: () => {
        down.proceed()
        // The parser holds a declared length to its word.
        if (declared !== undefined) return
        down.request.on("data", (chunk: Buffer) => {
          seen += chunk.length
          if (seen > limitBytes) fail(new RequestTooLarge({ limitBytes }))
        })
      }
    }
  })
}

const buffered = (
  down: Downstream,
  options: { readonly limitBytes: number; readonly memory: Memory },
  fail: (error: BodyError) => void,
  failed: Effect.Effect<never, BodyError>
): Effect.Effect<Prepared, BodyError, Scope.Scope> =>
  Effect.gen(function*() {
    const { limitBytes, memory } = options
    const held = yield* Effect.acquireRelease(
      Effect.sync(() => ({ chunks: Array.of<Buffer>(), bytes: 0 })),
      (held) =>
        Effect.sync(() => {
          memory.usedBytes -= held.bytes
          held.chunks.length = 0
          held.bytes = 0
        })
    )
    down.proceed()
    const whole = Effect.callback<Buffer>((resume) => {
      const onData = (chunk: Buffer) => {
        held.bytes += chunk.length
        memory.usedBytes += chunk.length
        held.chunks.push(chunk)
        if (held.bytes > limitBytes) fail(new RequestTooLarge({ limitBytes }))
        else if (memory.usedBytes > memory.limitBytes) {
          fail(new GatewayOverloaded({ reason: "buffer", retryAfterMillis: 1000 }))
        }
      }
      const onEnd = () => resume(Effect.sync(() => Buffer.concat(held.chunks)))
      down.request.on("data", onData)
      down.request.on("end", onEnd)
      return Effect.sync(() => {
        down.request.off("data", onData)
        down.request.off("end", onEnd)
        down.request.pause()
      })
    })
    const bytes = yield* Effect.raceFirst(whole, failed)
    held.chunks.length = 0
    return { ...empty, body: { _tag: "Bytes", bytes } }
  })

/** Calls `stalled` when a client does not send its body, and lets go of one that does not read its answer. */
const onIdle = (down: Downstream, idleMillis: number, stalled: () => void): void => {
  down.response.setTimeout(idleMillis)
  down.response.on("timeout", () => {
    const { request } = down
    if (!request.readableEnded && request.readableFlowing === true) stalled()
    else if (down.headSent && down.sink.writableNeedDrain) down.sink.destroy()
  })
}
