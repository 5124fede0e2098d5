/** Histories of reads and conditional appends, what a store answers to them, and what a list with a filter would. */
import { Effect, Schema } from "effect"
import { DynamicConsistencyBoundary as Dcb } from "effect-lifecycle/store"

const Tag = Schema.Literals(["a", "b", "c"])
const Type = Schema.Literals(["X", "Y"])
const Item = Schema.Struct({
  tags: Schema.NonEmptyArray(Tag),
  types: Schema.optionalKey(Schema.NonEmptyArray(Type))
})
const Query = Schema.NonEmptyArray(Item).check(Schema.isMaxLength(3))
const Slot = Schema.Literals([0, 1])

const Step = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("Read"), slot: Slot, query: Query }),
  Schema.Struct({ _tag: Schema.Literal("Append"), type: Type, tags: Schema.Array(Tag).check(Schema.isMaxLength(3)) }),
  Schema.Struct({ _tag: Schema.Literal("AppendOnRead"), slot: Slot, type: Type, tags: Schema.Array(Tag) }),
  Schema.Struct({ _tag: Schema.Literal("AppendOnNone"), query: Query, type: Type, tags: Schema.Array(Tag) })
])

export const steps = Schema.Array(Step).check(Schema.isMaxLength(20))
type Steps = typeof steps.Type
type Step = typeof Step.Type

/** Each append is of one event, which has the number of its step as its data. */
export const play = (steps: Steps) =>
  Effect.gen(function*() {
    const boundary = yield* Dcb.DynamicConsistencyBoundary
    const reads = new Map<number, Dcb.Condition>()
    const places = new Map<bigint, number>()
    const answers: Array<unknown> = []
    const append = (index: number, step: Exclude<Step, { _tag: "Read" }>, condition: Dcb.Condition | undefined) =>
      Effect.map(
        boundary.append({ events: [{ type: step.type, data: index, tags: step.tags }], condition }),
        (result) => {
          if (result._tag === "Appended") places.set(result.position, index)
          answers.push(
            result._tag === "ConditionFailed"
              ? ["ConditionFailed", places.get(result.position), result.type]
              : result._tag
          )
        }
      )
    for (const [index, step] of steps.entries()) {
      switch (step._tag) {
        case "Read": {
          const { after, events } = yield* boundary.read(step.query)
          reads.set(step.slot, { query: step.query, after })
          answers.push(events.map(({ data, tags, type }) => [data, type, tags]))
          break
        }
        case "Append":
          yield* append(index, step, undefined)
          break
        case "AppendOnRead":
          yield* append(index, step, reads.get(step.slot))
          break
        case "AppendOnNone":
          yield* append(index, step, { query: step.query })
      }
    }
    return answers
  })

/** What {@link play} must answer. */
export const expected = (steps: Steps): ReadonlyArray<unknown> => {
  interface Event {
    readonly index: number
    readonly type: string
    readonly tags: ReadonlyArray<string>
  }
  const log: Array<Event> = []
  const reads = new Map<number, { readonly query: Dcb.Query; readonly seen: number }>()
  const matches = (query: Dcb.Query) => (event: Event) =>
    query.some(({ tags, types }) =>
      tags.every((tag) => event.tags.includes(tag)) && (types?.includes(event.type) ?? true)
    )
  return steps.map((step, index) => {
    if (step._tag === "Read") {
      reads.set(step.slot, { query: step.query, seen: log.length })
      return log.filter(matches(step.query)).map((event) => [event.index, event.type, event.tags])
    }
    const condition = step._tag === "AppendOnRead"
      ? reads.get(step.slot)
      : step._tag === "AppendOnNone"
      ? { query: step.query, seen: 0 }
      : undefined
    const unknown = condition === undefined ? undefined : log.slice(condition.seen).find(matches(condition.query))
    if (unknown !== undefined) return ["ConditionFailed", unknown.index, unknown.type]
    log.push({ index, type: step.type, tags: [...new Set(step.tags)].toSorted() })
    return "Appended"
  })
}
