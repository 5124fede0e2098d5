/**
 * How many requests are worked on at once, and who waits when the house is full.
 *
 * A `resilience/Bulkhead` before the routes: a request takes a permit, waits in a bounded queue, or is refused with 503,
 * `Retry-After` and the problem type `temporary-reduced-capacity`. The queue is by priority: more urgent requests leave it
 * first, and a full queue gives up its newest, least urgent request for a more urgent one. Waiting counts against the
 * deadline of the request, whose end in the queue is a 504. The number of permits is fixed, or found by an algorithm
 * (`Bulkhead.gradient`, `vegas` or `aimd`).
 *
 * It stands after `Deadlines`, which reads the priority the caller sent, and before everything that costs: no token is
 * looked up and no body is read for a request that is refused. `/health/*` and `/metrics` are no routes of yours: nothing
 * here refuses them, and nothing makes them wait.
 *
 * **Gotchas**
 *
 * - The slot is empty by default. A limit that fits nobody's machine would be worse than none.
 * - A permit is held until the handler has answered, not until the last byte of a streamed body has left.
 * - It limits this process only.
 * - An answer of 503 or 504 and a deadline that passes lower an adaptive limit; other failures say nothing to it.
 *
 * @example
 * ```ts
 * import { Admission, ServerStack } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const stages = ServerStack.describe({
 *   service: "orders",
 *   admission: Admission.stage({ permits: 100, queue: 200, maxWait: "1 second", priorities: { low: ["GET /reports/*"] } })
 * })
 * const names = stages.map((stage) => stage.name)
 * assert.equal(names.indexOf("server/Admission"), names.indexOf("server/Deadlines") + 1)
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, type Exit, type Fiber, Option, Schema } from "effect"
import { HttpRouter, type HttpServerResponse } from "effect/http"
import * as Deadline from "../request/Deadline.ts"
import * as Priority from "../request/Priority.ts"
import * as Bulkhead from "../resilience/Bulkhead.ts"
import { oneOf } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * The server has no room for this request now.
 *
 * @category errors
 * @since 0.1.0
 */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", {
  /** The queue was full, the wait too long, or a more urgent request took the place. */
  reason: Schema.Literals(["full", "waitTimeout", "shed"]),
  retryAfterMillis: Schema.Finite
}) {
  override get message(): string {
    return `The server works on as many requests as it can (${this.reason}): send this one again in ` +
      `${Math.ceil(this.retryAfterMillis / 1000)} s`
  }
}

/**
 * What both kinds of limit take.
 *
 * @category models
 * @since 0.1.0
 */
export interface RouteOptions {
  /** For metrics. Default `admission`. */
  readonly name?: string | undefined
  /** Routes that are never refused and never wait. */
  readonly exempt?: RouteMatch.Routes | undefined
  /**
   * How urgent routes are. What a caller was allowed to say for itself, `low` for a batch of its own, goes before it.
   */
  readonly priorities?: { readonly [P in Priority.Priority]?: RouteMatch.Routes | undefined } | undefined
}

/**
 * A fixed number of permits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends RouteOptions, Omit<Bulkhead.Options, "name"> {}

/**
 * A number of permits that is found while the server runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveOptions<State extends Bulkhead.LimitState>
  extends RouteOptions, Omit<Bulkhead.AdaptiveOptions<State>, "name">
{}

/**
 * The stage. Throws `InvalidOption` where a number makes no sense. A name that no route has is refused when the server is
 * built.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = <State extends Bulkhead.LimitState = never>(
  options: Options | AdaptiveOptions<State>
): ServerStage.ServerStage<never> => {
  const name = options.name ?? "admission"
  const bulkhead = "algorithm" in options
    ? Bulkhead.adaptive({ classify, ...options, name })
    : Bulkhead.make({ ...options, name })
  const exempt = { module, option: "exempt" }
  const isExempt = RouteMatch.make(options.exempt ?? [], exempt)
  const priorityOf = priorities(options.priorities ?? {})
  return ServerStage.make<never, never>({
    name: "server/Admission",
    reports: "Middleware",
    routes: [
      ...RouteMatch.given(exempt, options.exempt, { beside: true }),
      ...Priority.Priority.literals.flatMap((priority) =>
        RouteMatch.given(placeOf(priority), options.priorities?.[priority])
      )
    ],
    wrap: Effect.map(bulkhead, (bulkhead) => (next) =>
      Effect.withFiber((fiber) => {
        const { route } = Context.getUnsafe(fiber.context, HttpRouter.RouteContext)
        if (isExempt(route)) return next
        const own = priorityOf(route)
        if (own !== undefined && fiber.getRef(Priority.Current) === "normal") {
          Exchange.addUnsafe(fiber, Priority.Current, own)
        }
        // A handler may use bulkheads of its own: only a refusal before it began is this one's.
        let began = false
        const admitted = Effect.suspend(() => {
          began = true
          return next
        })
        return Effect.mapError(
          bulkhead.run<HttpServerResponse.HttpServerResponse, unknown, never>(admitted),
          (error) => !began && error instanceof Bulkhead.BulkheadRejected ? refusal(error, fiber) : error
        )
      }))
  })
}

/**
 * What the end of a request says about the limit: 503, 504 and a deadline that has passed lower it. A 429 does not: it is
 * the caller who asks too much.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const classify = (exit: Exit.Exit<unknown, unknown>): Bulkhead.Signal => {
  const signal = Bulkhead.classify(exit)
  return signal === "drop" && exit._tag === "Success" && isTooManyRequests(exit.value) ? "ignore" : signal
}

const isTooManyRequests = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "status" in value && value.status === 429

/** A deadline that ended in the queue is told as such, by whichever of the two timers noticed it first. */
const refusal = (
  { reason, retryAfterMillis }: Bulkhead.BulkheadRejected,
  fiber: Fiber.Fiber<unknown, unknown>
): Overloaded | Deadline.DeadlineExceeded => {
  if (reason === "waitTimeout") {
    const deadline = Option.getOrUndefined(fiber.getRef(Deadline.Current))
    const now = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
    if (deadline !== undefined && now >= deadline.expiresAtNanos) {
      return new Deadline.DeadlineExceeded({
        budgetMillis: Number(deadline.expiresAtNanos - deadline.startedAtNanos) / 1e6,
        elapsedMillis: Number(now - deadline.startedAtNanos) / 1e6
      })
    }
  }
  return new Overloaded({ reason, retryAfterMillis })
}

const module = "Admission.stage"

const placeOf = (priority: Priority.Priority): RouteMatch.Place => ({ module, option: `priorities.${priority}` })

const priorities = (
  routes: NonNullable<RouteOptions["priorities"]>
): (route: RouteMatch.Named) => Priority.Priority | undefined => {
  for (const priority of Object.keys(routes)) {
    oneOf<string>(module, "priorities", priority, Priority.Priority.literals)
  }
  const named = Priority.Priority.literals.flatMap((priority) => {
    const of = routes[priority]
    return of === undefined ? [] : [{ priority, matches: RouteMatch.make(of, placeOf(priority)) }]
  })
  return (route) => named.find(({ matches }) => matches(route))?.priority
}
