/** What `tsc` must infer of a decision; nothing here runs. */
import { Effect, type Option, Schema } from "effect"
import { DynamicConsistencyBoundary as Dcb, type EventStore } from "effect-lifecycle/store"

class CourseFull extends Schema.TaggedError<CourseFull>()("CourseFull", { seats: Schema.Int }) {}
class CourseClosed extends Schema.TaggedError<CourseClosed>()("CourseClosed", { since: Schema.String }) {}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_Holds extends true>(): void => {}

const query = [{ tags: ["course:c-1"] }]
const enrolled = { type: "Enrolled", data: {}, tags: ["course:c-1"] }

// Two errors, each from a branch of its own.
const two = Dcb.decide({
  query,
  decide: (events) => {
    if (events.length > 10) return Effect.fail(new CourseFull({ seats: 10 }))
    if (events.some(({ type }) => type === "Closed")) return new CourseClosed({ since: "today" })
    return Effect.succeed([enrolled])
  }
})
holds<Equal<Effect.Error<typeof two>, CourseFull | CourseClosed | Dcb.Refusal | Dcb.DecisionOvertaken>>()
holds<Equal<Effect.Success<typeof two>, Option.Option<EventStore.Appended>>>()
holds<Equal<Effect.Services<typeof two>, Dcb.DynamicConsistencyBoundary>>()

// As an expression, with errors that are no classes.
const literals = Dcb.decide({
  query,
  decide: (events) =>
    events.length > 10
      ? Effect.fail("full" as const)
      : events.length === 0
      ? Effect.fail(404)
      : Effect.succeed([enrolled])
})
holds<Equal<Exclude<Effect.Error<typeof literals>, Dcb.Refusal | Dcb.DecisionOvertaken>, "full" | number>>()

// One error, none, and a service.
const one = Dcb.decide({ query, decide: () => Effect.fail("no" as const) })
holds<Equal<Effect.Error<typeof one>, "no" | Dcb.Refusal | Dcb.DecisionOvertaken>>()
const none = Dcb.decide({ query, decide: () => Effect.succeed([]) })
holds<Equal<Effect.Error<typeof none>, Dcb.Refusal | Dcb.DecisionOvertaken>>()
declare const Clock: Effect.Effect<number, never, "Clock">
const needing = Dcb.decide({ query, decide: () => Effect.map(Clock, () => [enrolled]) })
holds<Equal<Effect.Services<typeof needing>, "Clock" | Dcb.DynamicConsistencyBoundary>>()

// Code that passes a decision on names its error and its services as before.
export const passedOn = <E, R>(
  decide: (events: ReadonlyArray<Dcb.TaggedEvent>) => Effect.Effect<ReadonlyArray<Dcb.NewTaggedEvent>, E, R>
): Effect.Effect<
  Option.Option<EventStore.Appended>,
  E | Dcb.Refusal | Dcb.DecisionOvertaken,
  R | Dcb.DynamicConsistencyBoundary
> => Dcb.decide({ query, decide })

// @ts-expect-error events of a decision need tags
Dcb.decide({ query, decide: () => Effect.succeed([{ type: "Enrolled", data: {} }]) })
// @ts-expect-error a decision is an Effect
Dcb.decide({ query, decide: () => [enrolled] })
