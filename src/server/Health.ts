/**
 * `/health/live`: the process answers. `/health/ready`: it can do its work now. 200, or 503 as a problem that names the
 * checks that failed; also 503 from the moment the server begins to drain, so that a balancer stops sending.
 *
 * The stack adds both routes. They need no token and pass no other route stage.
 *
 * **Gotchas**
 *
 * - A check that takes longer than a second counts as failed.
 * - Say nothing of dependencies in liveness: a restart does not repair a database.
 * - The answer names checks, never their errors.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Health } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const failed = Health.check({ store: Effect.fail("away"), cache: Effect.void }, { draining: false })
 * const error = await Effect.runPromise(Effect.flip(failed))
 * assert.deepEqual(error.checks, { store: "failed", cache: "ok" })
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

/**
 * The server should get no traffic now.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotReady extends Schema.TaggedError<NotReady>()("NotReady", {
  reason: Schema.String,
  checks: Schema.Record(Schema.String, Schema.String)
}) {
  override get message(): string {
    return `${this.reason}: send no traffic until /health/ready answers 200`
  }
}

/**
 * Checks by name; one that fails makes the server unready.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checks<out R = never> {
  readonly [name: string]: Effect.Effect<unknown, unknown, R>
}

/**
 * Whether the server is on its way out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Drain {
  draining: boolean
}

/**
 * The drain of the server whose routes are being built, for answers that would keep it waiting.
 *
 * @category references
 * @since 0.1.0
 */
export const Draining = Context.Reference<Drain>("effect-lifecycle/server/Health/Draining", {
  defaultValue: () => ({ draining: false })
})

/**
 * Runs the checks side by side.
 *
 * @category combinators
 * @since 0.1.0
 */
export const check = <R>(
  checks: Checks<R>,
  drain: Drain
): Effect.Effect<{ readonly [name: string]: string }, NotReady, R> =>
  Effect.suspend(() => {
    if (drain.draining) return Effect.fail(new NotReady({ reason: "The server is draining", checks: {} }))
    const results = Effect.forEach(Object.entries(checks), ([name, check]) =>
      check.pipe(
        Effect.timeout("1 second"),
        Effect.exit,
        Effect.map((exit) => [name, exit._tag === "Success" ? "ok" : "failed"] as const)
      ), { concurrency: "unbounded" })
    return Effect.flatMap(results, (entries) => {
      const answers = Object.fromEntries(entries)
      return entries.every(([, result]) => result === "ok")
        ? Effect.succeed(answers)
        : Effect.fail(new NotReady({ reason: "A check has failed", checks: answers }))
    })
  })

/**
 * The two routes.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R>(
  checks: Checks<R>,
  drain: Drain
): Layer.Layer<
  never,
  never,
  HttpRouter.HttpRouter | HttpRouter.Request.From<"Requires", R> | HttpRouter.Request<"Error", NotReady>
> =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/health/live", HttpServerResponse.jsonUnsafe({ status: "ok" })),
    HttpRouter.add(
      "GET",
      "/health/ready",
      Effect.map(check(checks, drain), (checks) => HttpServerResponse.jsonUnsafe({ status: "ok", checks }))
    )
  ) as never
