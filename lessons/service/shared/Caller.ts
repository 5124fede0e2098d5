/** What the HTTP handlers of the three services hand on to the domain. */
import { Duration, Effect, Option } from "effect"
import { Command } from "effect-lifecycle/domain"
import { Deadline } from "effect-lifecycle/request"
import { Authentication, Idempotency, Problems } from "effect-lifecycle/server"
import { createHash, randomUUID } from "node:crypto"

/** Runs a command or query for the authenticated caller, and says in the log how much time there is for it. */
export const asActor = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Authentication.CurrentUser> =>
  Effect.gen(function*() {
    const user = yield* Authentication.CurrentUser
    const left = Option.map(yield* Deadline.remaining, (left) => Math.floor(Duration.toMillis(left)))
    yield* Effect.logInfo("deadline").pipe(Effect.annotateLogs({ deadline_ms: Option.getOrUndefined(left) }))
    return yield* Effect.provideService(self, Command.Actor, Option.some(user.id))
  })

/** The same; whatever fails goes to the table of problems. */
export const asCaller = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, never, R | Authentication.CurrentUser> => Problems.escalate(asActor(self))

/** An id that nobody has had before. */
export const newId = (prefix: string): Effect.Effect<string> =>
  Effect.sync(() => `${prefix}_${randomUUID().replaceAll("-", "")}`)

/**
 * The id that belongs to the request's idempotency key: a repeated request means the same thing, even when the answer to
 * the first one was lost.
 */
export const idOfKey = (prefix: string): Effect.Effect<{ readonly id: string; readonly commandId: string }> =>
  Effect.flatMap(Idempotency.Key, (key) => {
    if (Option.isNone(key)) return Effect.die(new Error("This route does not ask for an Idempotency-Key"))
    const digest = createHash("sha256").update(JSON.stringify([key.value.scope, key.value.key])).digest("hex")
    return Effect.succeed({ id: `${prefix}_${digest.slice(0, 32)}`, commandId: digest })
  })
