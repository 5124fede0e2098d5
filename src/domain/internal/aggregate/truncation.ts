/** Letting go of events, where something else holds what they said. */
import { Effect, Schema } from "effect"
import { type Archive, CannotTruncate } from "../../../store/Archive.ts"
import type { StoreUnavailable } from "../../../store/UnitOfWork.ts"
import type { Loaded, Stored } from "./definition.ts"
import type { FoldOptions } from "./loading.ts"

/** How the aggregate is read and written, in the context of the caller. */
interface Access<State, Event, E, R> {
  readonly load: (options?: FoldOptions<Event>) => Effect.Effect<Loaded<State>, E, R>
  readonly snapshot: Effect.Effect<unknown, E, R>
}

export const truncate = <State, Event extends { readonly _tag: string }, P, E, R>(
  archive: Archive["Service"],
  aggregate: Stored<State, Event, P>,
  id: string,
  options: { readonly before: number; readonly summary: Event["_tag"] } | undefined,
  { load, snapshot }: Access<State, Event, E, R>
): Effect.Effect<number, E | CannotTruncate | StoreUnavailable, R> =>
  Effect.gen(function*() {
    const { name, personal, snapshots } = aggregate
    const stream = { category: name, id }
    const refuse = (before: number, reason: string) => new CannotTruncate({ category: name, id, before, reason })
    if (options !== undefined) {
      const { before, summary } = options
      if (!aggregate.summaries.has(summary)) return yield* refuse(before, `"${summary}" is no summary of the aggregate`)
      let alone: State | undefined
      const { state } = yield* load({
        upTo: before,
        onEvent: (event, version) => {
          if (version === before) alone = aggregate.evolve(aggregate.initial, event)
        }
      })
      if (alone !== undefined && !Schema.toEquivalence(aggregate.schema)(alone, state)) {
        return yield* refuse(before, `folding from its "${summary}" gives another state than folding from the start`)
      }
      return yield* archive.truncate(stream, { before, keeps: { summary } })
    }
    const { version: before } = yield* load()
    if (snapshots === undefined) return yield* refuse(before, "the aggregate keeps no snapshots; name a summary")
    if (personal) return yield* refuse(before, "shredding a subject would end the snapshot; name a summary")
    yield* snapshot
    return yield* archive.truncate(stream, {
      before,
      keeps: { snapshot: { aggregate: name, fingerprint: snapshots.fingerprint } }
    })
  })
