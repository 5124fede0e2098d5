/**
 * Ends a request whose bytes will never be whole: the listener knows it, the request's own road gives the answer.
 *
 * The request's fiber is interrupted with the problem on the interruption, as a deadline does it, so the answer has the
 * request's id, its headers and its one line in the log, and what the handler held is given back.
 */
import { Cause, Context, type Fiber } from "effect"
import { HttpServerRequest } from "effect/http"
import type { Problem } from "../Problems.ts"
import * as documents from "./problemDocument.ts"

/** On the interruption of a request that the listener gave up; `Problems` reads it. */
export class ListenerHit extends Context.Service<ListenerHit, Problem>()(
  "effect-lifecycle/server/ListenerHit"
) {}

export const hitOf = (reason: Cause.Interrupt): Problem | undefined => {
  const hit = reason.annotations.get(ListenerHit.key)
  // Only `interrupt` below writes it.
  return hit as Problem | undefined
}

export const interrupt = (fiber: Fiber.Fiber<unknown, unknown>, problem: Problem): void =>
  fiber.interruptUnsafe(
    undefined,
    Context.make(ListenerHit, problem).pipe(
      Context.add(Cause.StackTrace, { name: "ListenerHit", stack: () => undefined, parent: undefined })
    )
  )

export const problem = (tag: string, status: number, title: string, detail?: string): Problem =>
  documents.make({ tag, status, title, stage: "Server", detail, headers: { connection: "close" } })

export const requestTimeout = problem("RequestTimeout", 408, "The request was not received in time")

/** The part of Node's request that says how reading it goes. */
interface Readable {
  readonly complete: boolean
  readonly readableFlowing: boolean | null
  readonly readableLength: number
  readonly listenerCount: (event: "readable") => number
}

/**
 * Whether the handler is reading a body of which the client owes the rest. On platforms other than Node it is not known,
 * and `false`.
 */
export const waitsForBody = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const request = Context.getOrUndefined(fiber.context, HttpServerRequest.HttpServerRequest)
  if (request === undefined || !("readableFlowing" in request.source)) return false
  const source = request.source as object as Readable
  return !source.complete && source.readableLength === 0 &&
    (source.readableFlowing !== null || source.listenerCount("readable") > 0)
}
