/**
 * Lets appends that wait at the same time share a statement, and with it a commit.
 *
 * No timer: what one turn of the event loop brings goes at once, and whatever has come meanwhile goes when a statement has
 * been answered. A stream has a lane of its own, and one append of a lane is on the way at a time: appends to one stream
 * keep their order and never wait for each other inside the database.
 */
import { type Cause, Effect, Exit, type Scope } from "effect"
import type { SqlError } from "effect/sql"
import { type AppendResult, InvalidAppend, type StreamArchived } from "../../EventStore.ts"
import { StoreUnavailable } from "../../UnitOfWork.ts"
import type { Prepared } from "../appends.ts"
import { Signal } from "../Signal.ts"
import { compareText } from "../text.ts"

export type Answer = Exit.Exit<AppendResult, InvalidAppend | StreamArchived | StoreUnavailable>

export interface Options {
  /** Statements on the way at once. */
  readonly statements: number
  /** Appends of one statement at most. */
  readonly batch: number
  /** Characters of payload of one statement at most; a larger append goes alone. */
  readonly batchBytes: number
  /** Appends that wait as text; who comes then waits in line before them. */
  readonly queue: number
}

export interface Statements {
  /** One statement for all; the answers in the order of the appends. */
  readonly together: (appends: ReadonlyArray<Prepared>) => Effect.Effect<ReadonlyArray<Answer>, SqlError.SqlError>
  readonly alone: (append: Prepared) => Effect.Effect<AppendResult, InvalidAppend | StreamArchived | StoreUnavailable>
  /** What a failed statement means to each of its callers. */
  readonly failed: (cause: Cause.Cause<SqlError.SqlError>) => Answer
  /** Whether the server has undone the failed statement for certain; not so when the connection was lost. */
  readonly isUndone: (cause: Cause.Cause<SqlError.SqlError>) => boolean
}

interface Item {
  readonly prepared: Prepared
  readonly bytes: number
  readonly resume: (answer: Answer) => void
}

/** The appends of one stream, in the order in which they came. */
interface Lane {
  readonly key: string
  readonly waiting: Array<Item>
  busy: boolean
}

export interface Coalescer {
  /** `prepare` is called when there is room for what it makes. */
  readonly append: (
    prepare: () => Prepared | InvalidAppend
  ) => Effect.Effect<AppendResult, InvalidAppend | StreamArchived | StoreUnavailable>
}

export const make = (statements: Statements, options: Options): Effect.Effect<Coalescer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const lanes = new Map<string, Lane>()
    const ready = new Set<Lane>()
    const outside = new Set<() => void>()
    const ended = new Signal()
    let waiting = 0
    let running = 0
    /** Of those that run, how many have not taken their batch yet. */
    let starting = 0
    let closed = false
    const fork = Effect.runForkWith(yield* Effect.context())

    /** Gives what takes the item back while it has not been sent. */
    const enter = (item: Item): () => void => {
      const key = keyOf(item.prepared)
      const lane = lanes.get(key) ?? { key, waiting: [], busy: false }
      lanes.set(key, lane)
      lane.waiting.push(item)
      waiting++
      if (!lane.busy) ready.add(lane)
      pump()
      return () => {
        const place = lane.waiting.indexOf(item)
        if (place < 0) return // on the way: it may still be stored
        lane.waiting.splice(place, 1)
        settle(lane)
        left(1)
      }
    }

    const left = (count: number): void => {
      waiting -= count
      for (const begin of outside) {
        if (waiting >= options.queue) return
        outside.delete(begin)
        begin()
      }
    }

    /** A lane is known as long as something of it waits or is on the way. */
    const settle = (lane: Lane): void => {
      if (lane.busy) return
      if (lane.waiting.length > 0) ready.add(lane)
      else {
        ready.delete(lane)
        lanes.delete(lane.key)
      }
    }

    const pump = (): void => {
      while (running < options.statements && starting < ready.size) {
        running++
        starting++
        fork(work)
      }
    }

    const take = (): ReadonlyMap<Lane, Item> => {
      const batch = new Map<Lane, Item>()
      let bytes = 0
      for (const lane of ready) {
        const [item] = lane.waiting
        if (item === undefined) continue
        if (batch.size === options.batch || (batch.size > 0 && bytes + item.bytes > options.batchBytes)) break
        bytes += item.bytes
        lane.waiting.shift()
        lane.busy = true
        ready.delete(lane)
        batch.set(lane, item)
      }
      left(batch.size)
      return batch
    }

    /** Takes its batch a turn later than it was asked for, so that the appends of that turn go together. */
    const work: Effect.Effect<void> = Effect.flatMap(Effect.yieldNow, () => {
      starting--
      const batch = take()
      const items = Array.from(batch.values())
      const [first] = items
      const sent = first === undefined ? Effect.void : items.length === 1 ? single(first) : many(items)
      return Effect.ensuring(
        sent,
        Effect.sync(() => {
          for (const lane of batch.keys()) {
            lane.busy = false
            settle(lane)
          }
          running--
          pump()
          ended.notify()
        })
      )
    })

    /** Whatever the append ends with is the caller's, a defect as well. */
    const single = (item: Item): Effect.Effect<void> =>
      Effect.map(Effect.exit(statements.alone(item.prepared)), item.resume)

    const many = (unsorted: ReadonlyArray<Item>): Effect.Effect<void> => {
      const items = unsorted.toSorted(byName)
      return Effect.matchCauseEffect(statements.together(items.map(({ prepared }) => prepared)), {
        onSuccess: (answers) =>
          Effect.sync(() => {
            for (const [index, answer] of answers.entries()) items[index]?.resume(answer)
          }),
        onFailure: (cause) =>
          statements.isUndone(cause)
            ? Effect.forEach(items, single, { discard: true })
            : Effect.sync(() => {
              for (const item of items) item.resume(statements.failed(cause))
            })
      })
    }

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closed = true
        for (const begin of outside) begin()
        outside.clear()
        for (const lane of lanes.values()) {
          for (const item of lane.waiting) item.resume(closing)
          waiting -= lane.waiting.length
          lane.waiting.length = 0
          settle(lane)
        }
        return ended.until(() => running === 0)
      })
    )

    return {
      append: (prepare) =>
        Effect.callback((resume) => {
          let takeBack = () => {}
          const begin = () => {
            const prepared = closed ? undefined : prepare()
            if (prepared === undefined) resume(closing)
            else if (prepared instanceof InvalidAppend) resume(Effect.fail(prepared))
            else takeBack = enter({ prepared, bytes: bytesOf(prepared), resume })
          }
          if (closed || waiting < options.queue) begin()
          else outside.add(begin)
          return Effect.sync(() => {
            outside.delete(begin)
            takeBack()
          })
        })
    }
  })

const closing: Answer = Exit.fail(
  new StoreUnavailable({ operation: "append", reason: "the store is being closed and nothing was sent" })
)

const keyOf = ({ stream }: Prepared): string => `${stream.tenant}\0${stream.category}\0${stream.id}`

const byName = ({ prepared: { stream: left } }: Item, { prepared: { stream: right } }: Item): number =>
  compareText(left.tenant, right.tenant) || compareText(left.category, right.category) || compareText(left.id, right.id)

/** Characters, which is bytes for most of what JSON holds; 100 for what every event has besides. */
const bytesOf = ({ events }: Prepared): number => {
  let bytes = 0
  for (const { data, meta } of events) bytes += data.length + meta.length + 100
  return bytes
}
