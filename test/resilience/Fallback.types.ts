import { Effect, type Stream } from "effect"
import { type CircuitBreaker, Fallback } from "effect-lifecycle/resilience"

interface GetProfile {
  readonly id: string
}
declare const primary: Fallback.Handler<GetProfile, string, "lost">
declare const breaker: CircuitBreaker.CircuitBreaker
declare const live: Stream.Stream<number, "lost">
declare const cached: Stream.Stream<number>

// the same request, a success that fits, and the cause of the primary's failures
export const profile: (request: GetProfile) => Effect.Effect<string, "lost" | "gone"> = Fallback.handler({
  primary,
  fallback: {
    name: "cache",
    handle: ({ id }, cause) => cause.reasons.length > 0 ? Effect.succeed(id) : Effect.fail("gone")
  }
})
// @ts-expect-error the fallback answers with a number where the primary answers with a string
Fallback.handler({ primary, fallback: { name: "cache", handle: () => Effect.succeed(1) } })
// @ts-expect-error the fallback asks for another request
Fallback.handler({ primary, fallback: { name: "cache", handle: (request: { page: number }) => Effect.succeed("") } })
// @ts-expect-error a class or a tag of the failures, not any text
Fallback.effect(Effect.fail({ _tag: "Lost" as const }), { on: ["Lots"], fallback: () => Effect.void })

// a breaker adds its refusal to the failures, because both survive when both fail
export const guarded: (
  request: GetProfile
) => Effect.Effect<string, "lost" | CircuitBreaker.CircuitOpen> = Fallback.handler({
  primary,
  fallback: { name: "cache", handle: ({ id }) => Effect.succeed(id) },
  breaker
})
// @ts-expect-error an open circuit is a failure too
const without: (request: GetProfile) => Effect.Effect<string, "lost"> = guarded

// @ts-expect-error the mode is required: no default is right for everybody
Fallback.stream(live, { fallback: () => cached })
// @ts-expect-error to resume, a plan must be told how
const mode: Fallback.PlanMode<number, "lost"> = "resume"

// keys and their types are inferred in either order of arguments
export const resumed: Stream.Stream<number, "lost"> = live.pipe(
  Fallback.stream({
    mode: { resumeBy: (item) => `${item}` },
    fallback: ({ lastKey }) => lastKey?.startsWith("1") === true ? cached : live
  })
)
export const unused = [without, mode]
