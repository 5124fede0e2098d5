/** Dynamic consistency boundaries in the database of this process: its transactions run one at a time. */
import { Effect } from "effect"
import type { AppendResult, TaggedEvent } from "../../DynamicConsistencyBoundary.ts"
import { InvalidAppend, type StreamArchived } from "../../EventStore.ts"
import type { BoundaryBackend, Item } from "../BoundaryBackend.ts"
import type { Database, MemoryEvent, State } from "./Database.ts"
import { appendOne, isRefusal, isThere, open } from "./EventStoreMemory.ts"

/** The tags of the event at a position. */
export interface MemoryTags {
  readonly position: bigint
  readonly tags: ReadonlyArray<string>
}

interface Tagged {
  readonly event: MemoryEvent
  readonly tags: ReadonlyArray<string>
}

export const make = (database: Database): BoundaryBackend => ({
  read: (tenant, items) =>
    database.read((state) => ({
      events: taggedOf(state, tenant).filter((tagged) => items.some((item) => matches(item, tagged))).map(openTagged),
      bounds: items.map(() => state.position)
    })),
  append: (prepared, tags, items) =>
    Effect.flatten(database.write((state, fiber): readonly [
      Effect.Effect<AppendResult, InvalidAppend | StreamArchived>,
      State
    ] => {
      const unknown = taggedOf(state, prepared.stream.tenant).find((tagged) =>
        items.some((item) => tagged.event.position > item.after && matches(item, tagged))
      )
      const [result, next] = appendOne(state, prepared, fiber)
      const repetition = result instanceof InvalidAppend ||
        (!isRefusal(result) && result._tag === "Appended" && result.replayed)
      if (unknown !== undefined && !repetition) {
        const { position, type } = unknown.event
        return [Effect.succeed({ _tag: "ConditionFailed", position, type }), state]
      }
      if (isRefusal(result)) return [Effect.fail(result), state]
      const added = next.log.slice(state.log.length).map(({ position }, index): MemoryTags => ({
        position,
        tags: tags[index] ?? []
      }))
      return [Effect.succeed(result), { ...next, tagged: [...next.tagged, ...added] }]
    }))
})

const taggedOf = (state: State, tenant: string): ReadonlyArray<Tagged> =>
  state.tagged.flatMap(({ position, tags }) => {
    const event = state.log[Number(position) - 1]
    return event !== undefined && event.stream.tenant === tenant && isThere(event) ? [{ event, tags }] : []
  })

const matches = ({ tags, types }: Item, { event, tags: found }: Tagged): boolean =>
  tags.every((tag) => found.includes(tag)) && (types === undefined || types.includes(event.type))

const openTagged = ({ event, tags }: Tagged): TaggedEvent => ({ ...open(event), tags })
