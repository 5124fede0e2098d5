/**
 * Lets a client repeat a request that must happen once: the first request under an `Idempotency-Key` runs, and its answer
 * is kept and replayed to everyone who sends the same again.
 *
 * On the routes named, a missing key is 400, a key whose first request is still running 409 with `Retry-After`, a key that
 * came with another payload 422. A replay carries `Idempotency-Replayed: true`. Keys belong to the caller and the route:
 * nobody can read another's answers. The handler finds the key in {@link Key}, to name its command with.
 *
 * The records are a service of the application, {@link IdempotencyRecords}; its shape is that of
 * `store/IdempotencyStore`, so one line joins the two.
 *
 * **Gotchas**
 *
 * - Answers with a status of 500 and more are not kept, nor is anything that failed on its way (validation, a deadline, an
 *   interruption): the key is free again and the client may repeat.
 * - When the process dies after the work and before the answer is kept, the key frees itself after `lease` and the repeated
 *   request runs again. Name the command after {@link Key}, and the store makes it happen once. The same goes for a claim
 *   whose own answer was lost with its connection.
 * - Records that are away when the work has ended are written when they are back, for as long as the lease holds.
 * - A streamed answer cannot be kept. It is sent, and the key is free again.
 *
 * @example
 * ```ts
 * import { Idempotency } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const stage = Idempotency.stage({ required: ["POST /orders"], timeToLive: "7 days" })
 * assert.equal(stage.reports, "Dependencies")
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, Exit, Option, Schedule, Schema, type Scope } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { InvalidOption, positiveMillis, wholeNumber } from "../resilience/InvalidOption.ts"
import { CurrentUser } from "./Authentication.ts"
import * as Exchange from "./Exchange.ts"
import * as stored from "./internal/storedAnswer.ts"
import * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * What became of a claim.
 *
 * @category models
 * @since 0.1.0
 */
export type Claim =
  | { readonly _tag: "Claimed"; readonly token: string }
  | { readonly _tag: "Completed"; readonly answer: string }
  | { readonly _tag: "InProgress" }
  | { readonly _tag: "Mismatch" }

/**
 * A key within its scope: the caller and the operation.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScopedKey {
  readonly scope: string
  readonly key: string
}

/**
 * Where keys and answers are kept. It may fail with any error that the `Problems` table knows.
 *
 * @category services
 * @since 0.1.0
 */
export class IdempotencyRecords extends Context.Service<IdempotencyRecords, {
  readonly claim: (key: ScopedKey, options: {
    readonly fingerprint: string
    readonly lease: Duration.Input
    readonly timeToLive: Duration.Input
  }) => Effect.Effect<Claim, { readonly _tag: string }>
  /** `false` when the lease was lost to another. */
  readonly complete: (
    key: ScopedKey,
    token: string,
    answer: string
  ) => Effect.Effect<boolean, { readonly _tag: string }>
  readonly release: (key: ScopedKey, token: string) => Effect.Effect<void, { readonly _tag: string }>
}>()("effect-lifecycle/server/IdempotencyRecords") {}

/**
 * The key of the running request, where it brought one to a route that asks for it.
 *
 * @category references
 * @since 0.1.0
 */
export const Key = Context.Reference<Option.Option<ScopedKey>>("effect-lifecycle/server/Idempotency/Key", {
  defaultValue: () => Option.none()
})

/**
 * The request brought no usable key.
 *
 * @category errors
 * @since 0.1.0
 */
export class IdempotencyKeyMissing extends Schema.TaggedError<IdempotencyKeyMissing>()("IdempotencyKeyMissing", {}) {
  override get message(): string {
    return "The request has no usable Idempotency-Key: send one, the same again when you repeat"
  }
}

/**
 * The first request with this key has not been answered yet.
 *
 * @category errors
 * @since 0.1.0
 */
export class IdempotencyKeyRunning extends Schema.TaggedError<IdempotencyKeyRunning>()("IdempotencyKeyRunning", {
  retryAfterSeconds: Schema.Finite
}) {
  override get message(): string {
    return `The first request with this key is still running: repeat after ${this.retryAfterSeconds} s`
  }
}

/**
 * The key was used for another payload.
 *
 * @category errors
 * @since 0.1.0
 */
export class IdempotencyKeyMismatch extends Schema.TaggedError<IdempotencyKeyMismatch>()("IdempotencyKeyMismatch", {}) {
  override get message(): string {
    return "The key belongs to a request with another payload: use a new key"
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The routes that need a key, such as `"POST /orders"`. */
  readonly required: RouteMatch.Routes
  /** How long a claim holds when its owner is not heard of again. Longer than any deadline. Default 90 seconds. */
  readonly lease?: Duration.Input | undefined
  /** How long an answer is kept. Default 24 hours. */
  readonly timeToLive?: Duration.Input | undefined
  /** What a client that came too early is told to wait. Default 1 second. */
  readonly retryAfterSeconds?: number | undefined
}

const module = "Idempotency.stage"

/**
 * The stage. Throws `InvalidOption` where a time makes no sense or no route is named. A name that no route has is refused
 * when the server is built.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (
  options: Options
): ServerStage.ServerStage<CurrentUser, never, IdempotencyRecords | Scope.Scope> => {
  const place = { module, option: "required" }
  const isRequired = RouteMatch.make(options.required, place)
  if (options.required.length === 0 && typeof options.required !== "function") {
    throw new InvalidOption({ ...place, value: "[]", allowed: "one route or more: this stage would guard nothing" })
  }
  const lease = options.lease ?? "90 seconds"
  positiveMillis(module, "lease", lease)
  const timeToLive = options.timeToLive ?? "24 hours"
  positiveMillis(module, "timeToLive", timeToLive)
  const retryAfterSeconds = wholeNumber(module, "retryAfterSeconds", options.retryAfterSeconds ?? 1, 1)
  const recovery = Schedule.upTo(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")]), {
    duration: lease
  })
  const later = <E>(settled: Effect.Effect<void, E>) =>
    Effect.ignore(Effect.delay(Effect.retry(settled, recovery), "100 millis"))
  const running = new IdempotencyKeyRunning({ retryAfterSeconds })
  return ServerStage.make<CurrentUser, never, IdempotencyRecords | Scope.Scope>({
    name: "server/Idempotency",
    reports: "Dependencies",
    routes: RouteMatch.given(place, options.required),
    wrap: Effect.gen(function*() {
      const records = yield* IdempotencyRecords
      const scope = yield* Effect.scope
      const answered = (
        claim: Claim,
        key: ScopedKey,
        next: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>
      ): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown> => {
        switch (claim._tag) {
          case "InProgress":
            return Effect.fail(running)
          case "Mismatch":
            return Effect.fail(new IdempotencyKeyMismatch())
          case "Completed":
            return Effect.map(stored.parse(claim.answer), stored.toResponse)
          case "Claimed":
            return Effect.withFiber((fiber) => {
              const exchange = Exchange.ofUnsafe(fiber)
              return Effect.onExit(Effect.provideService(next, Key, Option.some(key)), (exit) => {
                const answer = Exit.isSuccess(exit) && exit.value.status < 500
                  ? stored.fromResponse(exit.value, exchange.answerHeaders)
                  : undefined
                const settled = answer === undefined
                  ? records.release(key, claim.token)
                  : Effect.asVoid(records.complete(key, claim.token, answer))
                // The work is done or undone already: what cannot be written down now does not change the answer. It is
                // written later, or the caller would be told to wait for the rest of the lease.
                return Effect.catch(settled, () => Effect.forkIn(later(settled), scope))
              })
            })
        }
      }
      return (next) =>
        Effect.withFiber((fiber) => {
          const { route } = Context.getUnsafe(fiber.context, HttpRouter.RouteContext)
          if (!isRequired(route)) return next
          const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
          const sent = request.headers["idempotency-key"]
          if (sent === undefined || !/^[\x21-\x7e]{1,255}$/.test(sent)) return Effect.fail(new IdempotencyKeyMissing())
          return Effect.flatMap(CurrentUser, (user) => {
            const key = { scope: `${user.id} ${route.method} ${route.path}`, key: sent }
            return Effect.flatMap(request.text, (body) =>
              Effect.flatMap(
                stored.fingerprint([request.method, request.url, body]),
                (fingerprint) =>
                  Effect.uninterruptibleMask((restore) =>
                    Effect.flatMap(
                      restore(records.claim(key, { fingerprint, lease, timeToLive })),
                      (claim) => answered(claim, key, restore(next))
                    )
                  )
              ))
          })
        })
    })
  })
}
