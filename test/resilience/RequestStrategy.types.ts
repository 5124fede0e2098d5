import { Effect } from "effect"
import { RequestStrategy, Verdict } from "effect-lifecycle/resilience"

const http = RequestStrategy.sequential({ verdict: Verdict.http })
const any = RequestStrategy.sequential({ attempts: 2 })

// @ts-expect-error a classifier of responses cannot judge a number
export const judgesResponses = http.run(() => Effect.succeed(1))

// @ts-expect-error an override must be able to judge whatever it meets
export const overrides = RequestStrategy.withStrategy(Effect.void, http)

// @ts-expect-error both parts must be able to judge the outcome
export const both = RequestStrategy.orElse(any, http).run(() => Effect.succeed(1))

export const anything: Effect.Effect<number, unknown> = any.run(() => Effect.succeed(1))
