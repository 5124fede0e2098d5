/**
 * How urgent a request is, so that a full house can serve the important ones first.
 *
 * The priority belongs to the request, not to one hop: work that sets none inherits it, work may lower it freely, and only
 * trusted code or a trusted hop may raise it. So a batch job that starts as `low` stays `low` through every service it
 * reaches, and a stranger who sends `critical` gains nothing.
 *
 * On the wire it is `x-request-priority` with the word itself (`high`, `normal` and `low` are aio-request's), or the
 * urgency `u=0..7` of RFC 9218: 0-1 critical, 2 high, 3-4 normal, 5-7 low.
 *
 * **Gotchas**
 *
 * - The default is `normal`, also for a program that no request started: raising it there needs `{ trusted: true }` too.
 * - Browsers send the `priority` header of RFC 9218 on their own, so `Propagation.extract` reads it only when told to.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Priority } from "effect-lifecycle/request"
 * import assert from "node:assert/strict"
 *
 * const read = Effect.service(Priority.Current)
 *
 * assert.equal(await Effect.runPromise(read.pipe(Priority.withPriority("low"))), "low")
 * const raised = read.pipe(Priority.withPriority("high"), Priority.withPriority("low"))
 * assert.equal(await Effect.runPromise(raised), "low")
 * const trusted = read.pipe(Priority.withPriority("high", { trusted: true }), Priority.withPriority("low"))
 * assert.equal(await Effect.runPromise(trusted), "high")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Order as Ordering, Result, Schema } from "effect"
import { dual } from "effect/Function"
import * as header from "./internal/header.ts"

/**
 * The four priorities, most urgent first.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Priority = Schema.Literals(["critical", "high", "normal", "low"])

/**
 * One of the four priorities.
 *
 * @category models
 * @since 0.1.0
 */
export type Priority = typeof Priority.Type

/**
 * A header that carries a priority. `decode` says why it refuses a value, without quoting it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PriorityCodec {
  /** The header's name in lower case. */
  readonly header: string
  readonly encode: (priority: Priority) => string
  readonly decode: (value: string) => Result.Result<Priority, string>
}

/**
 * The priority of the running fiber; `normal` by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<Priority>("effect-lifecycle/request/Priority", {
  defaultValue: () => "normal"
})

/**
 * Orders by urgency: `low` is the smallest, `critical` the greatest.
 *
 * @category instances
 * @since 0.1.0
 */
export const Order: Ordering.Order<Priority> = Ordering.mapInput(
  Ordering.Number,
  (priority: Priority) => -Priority.literals.indexOf(priority)
)

/**
 * `-1` when `a` is less urgent than `b`, `0` when they are equal, `1` when it is more urgent.
 *
 * @category instances
 * @since 0.1.0
 */
export const compare = (a: Priority, b: Priority): -1 | 0 | 1 => Order(a, b)

/**
 * The priority of work that asks for `own` inside a request of `inherited`: the less urgent of the two, or `own` as it is
 * when the one who asks is trusted.
 *
 * @category combinators
 * @since 0.1.0
 */
export const combine = (
  own: Priority | undefined,
  inherited: Priority,
  options?: { readonly trusted?: boolean | undefined }
): Priority =>
  own === undefined ? inherited : options?.trusted === true || compare(own, inherited) < 0 ? own : inherited

/**
 * Runs `self` at `priority`. Raising above the current one has no effect unless `trusted` is set.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withPriority: {
  (
    priority: Priority,
    options?: { readonly trusted?: boolean | undefined }
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    priority: Priority,
    options?: { readonly trusted?: boolean | undefined }
  ): Effect.Effect<A, E, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    priority: Priority,
    options?: { readonly trusted?: boolean | undefined }
  ): Effect.Effect<A, E, R> => Effect.updateService(self, Current, (inherited) => combine(priority, inherited, options))
)

/**
 * `x-request-priority`: the word, read in any case.
 *
 * @category codecs
 * @since 0.1.0
 */
export const xRequestPriority: PriorityCodec = {
  header: "x-request-priority",
  encode: (priority) => priority,
  decode: (value) => {
    const refused = header.refuse(value, 64)
    if (refused !== undefined) return Result.fail(refused)
    const word = value.toLowerCase()
    const known = Priority.literals.find((priority) => priority === word)
    return known === undefined ? Result.fail("not a priority") : Result.succeed(known)
  }
}

const urgency = { critical: 0, high: 2, normal: 3, low: 5 } as const
const byUrgency: ReadonlyArray<Priority> = ["critical", "critical", "high", "normal", "normal", "low", "low", "low"]

/**
 * `priority` of RFC 9218: a dictionary whose `u` is the urgency from 0 to 7, 3 where it is absent. Parameters this
 * library does not know, such as `i`, are passed over, as the RFC asks.
 *
 * @category codecs
 * @since 0.1.0
 */
export const rfc9218: PriorityCodec = {
  header: "priority",
  encode: (priority) => `u=${urgency[priority]}`,
  decode: (value) => {
    const refused = header.refuse(value.replaceAll(",", " "), 256)
    if (refused !== undefined) return Result.fail(refused)
    let found: Priority = "normal"
    for (const member of value.split(",")) {
      const match = /^[ \t]*([a-z*][a-z0-9_\-.*]*)(?:=([^;]*))?(?:;.*)?$/.exec(member)
      if (match === null) return Result.fail("not a structured dictionary")
      if (match[1] !== "u") continue
      const priority = /^[0-7][ \t]*$/.test(match[2] ?? "") ? byUrgency[Number(match[2])] : undefined
      if (priority === undefined) return Result.fail("urgency is not 0 to 7")
      found = priority
    }
    return Result.succeed(found)
  }
}
