/** The body of a request: passed through, or read to its end first. */
import { Effect, type Scope } from "effect"
import * as Deadline from "../../request/Deadline.ts"
import { GatewayOverloaded, RequestStalled, RequestTooLarge } from "../Refusals.ts"
import type { Downstream } from "./downstream.ts"
import type { Body } from "./upstreamRequest.ts"

/** How many bytes all buffered requests of a gateway hold together. */
export interface Memory {
  readonly limitBytes: number
  usedBytes: number
}

export type BodyError = GatewayOverloaded | RequestStalled | RequestTooLarge

/** The body turned out to be too large, or stopped. Whoever waits for the answer is told once. */
export class BodyFailure {
  private error: BodyError | undefined
  private listener: ((error: BodyError) => void) | undefined

  fail(error: BodyError): void {
    if (this.error !== undefined) return
    this.error = error
    this.listener?.(error)
  }

  listen(listener: (error: BodyError) => void): void {
    this.listener = listener
    if (this.error !== undefined) listener(this.error)
  }
}

export interface Prepared {
  readonly body: Body
  /** Called when the body begins to flow to a target. */
  readonly flows?: (() => void) | undefined
}

const empty: Prepared = { body: { _tag: "Empty" } }

export const prepare = (down: Downstream, options: {
  readonly buffer: "none" | "request"
  readonly limitBytes: number
  readonly idleMillis: number
  readonly memory: Memory
}): Effect.Effect<Prepared, BodyError | Deadline.DeadlineExceeded, Scope.Scope> => {
  if (!down.hasBody) {
    onIdle(down, options.idleMillis, () => {})
    return Effect.succeed(empty)
  }
  const { limitBytes } = options
  const declared = down.declaredBytes
  if (declared !== undefined && declared > limitBytes) return Effect.fail(new RequestTooLarge({ limitBytes }))
  const failure = new BodyFailure()
  const fail = (error: BodyError) => {
    if (down.headSent) down.sever("limit")
    failure.fail(error)
  }
  onIdle(down, options.idleMillis, () => fail(new RequestStalled({ timeoutMillis: options.idleMillis })))
  if (options.buffer === "request") return Deadline.enforce(buffered(down, options, failure))
  let seen = 0
  return Effect.succeed({
    body: { _tag: "Stream", source: down.request, failure },
    flows: () => {
      down.proceed()
      // The parser holds a declared length to its word.
      if (declared !== undefined) return
      down.request.on("data", (chunk: Buffer) => {
        seen += chunk.length
        if (seen > limitBytes) fail(new RequestTooLarge({ limitBytes }))
      })
    }
  })
}

const buffered = (
  down: Downstream,
  options: { readonly limitBytes: number; readonly memory: Memory },
  failure: BodyFailure
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
    const bytes = yield* Effect.callback<Buffer, BodyError>((resume) => {
      const { request } = down
      const stop = () => {
        request.off("data", onData)
        request.off("end", onEnd)
        request.pause()
      }
      const onData = (chunk: Buffer) => {
        held.bytes += chunk.length
        memory.usedBytes += chunk.length
        held.chunks.push(chunk)
        if (held.bytes > limitBytes) failure.fail(new RequestTooLarge({ limitBytes }))
        else if (memory.usedBytes > memory.limitBytes) {
          failure.fail(new GatewayOverloaded({ reason: "buffer", retryAfterMillis: 1000 }))
        }
      }
      const onEnd = () => {
        stop()
        resume(Effect.sync(() => Buffer.concat(held.chunks)))
      }
      failure.listen((error) => {
        stop()
        resume(Effect.fail(error))
      })
      request.on("data", onData)
      request.on("end", onEnd)
      return Effect.sync(stop)
    })
    held.chunks.length = 0
    return { body: { _tag: "Bytes", bytes } }
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
