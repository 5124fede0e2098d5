/** The rows of subscriptions in the database of this process. Its mark is what is committed: transactions take turns. */
import { Clock, Effect, type Fiber, HashMap, Option } from "effect"
import type { StoredEvent } from "../../EventStore.ts"
import type { DeadLetter } from "../../Subscription.ts"
import type { Division, Partition, Plan } from "../subscription/division.ts"
import type { SubscriptionBackend } from "../subscription/SubscriptionBackend.ts"
import { compareText } from "../text.ts"
import type { Database, State } from "./Database.ts"

export interface MemorySubscription {
  readonly generation: number
  readonly partitions: ReadonlyArray<Partition>
  readonly plan: Plan | undefined
  /** When the lease of each ends. */
  readonly owners: ReadonlyMap<string, number>
}

export const make = (database: Database): SubscriptionBackend => {
  const find = (name: string) =>
    Effect.withFiber((fiber) =>
      database.read((state) =>
        Option.getOrUndefined(Option.map(HashMap.get(state.subscriptions, name), (found) => divisionOf(found, fiber)))
      )
    )
  const change = <A = void>(
    name: string,
    f: (found: MemorySubscription, now: number) => readonly [A, MemorySubscription]
  ): Effect.Effect<A | undefined> =>
    database.write((state, fiber) => {
      const found = HashMap.get(state.subscriptions, name)
      if (Option.isNone(found)) return [undefined, state]
      const [answer, next] = f(found.value, millis(fiber))
      return [answer, { ...state, subscriptions: HashMap.set(state.subscriptions, name, next) }]
    })
  const changePartition = (name: string, index: number, f: (partition: Partition) => Partition) =>
    change(name, (found) => [undefined, {
      ...found,
      partitions: found.partitions.map((partition) => partition.index === index ? f(partition) : partition)
    }])

  return {
    start: Effect.void,
    highWater: Effect.sync(() => {
      const mark = database.position()
      return { mark, highest: mark, gapMillis: undefined, holders: 0 }
    }),
    markBeyond: (position) =>
      Effect.map(database.appended.until(() => database.position() > position), () => database.position()),
    highest: Effect.sync(database.position),
    ageAfter: (position) =>
      Effect.withFiber((fiber) =>
        database.read((state) => {
          const next = state.log[Number(position)]
          return next === undefined ? 0 : Math.max(0, millis(fiber) - next.millis)
        })
      ),
    find,
    lock: find,
    open: (name, count, position) =>
      database.write((state) =>
        HashMap.has(state.subscriptions, name) ? [undefined, state] : [undefined, {
          ...state,
          subscriptions: HashMap.set(state.subscriptions, name, {
            generation: 1,
            partitions: partitionsAt(count, position, 0n),
            plan: undefined,
            owners: new Map()
          })
        }]
      ),
    attend: (name, owner, leaseMillis) =>
      change(name, (found, now) => [undefined, {
        ...found,
        owners: new Map([...found.owners].filter(([, expires]) => expires > now)).set(owner, now + leaseMillis)
      }]),
    renew: (name, owner, leaseMillis) =>
      Effect.map(
        change<boolean>(name, (found, now) =>
          found.owners.has(owner)
            ? [true, { ...found, owners: new Map(found.owners).set(owner, now + leaseMillis) }]
            : [false, found]),
        (renewed) => renewed === true
      ),
    leave: (name, owner) =>
      change(name, (found) => [undefined, {
        ...found,
        owners: new Map([...found.owners].filter(([other]) => other !== owner))
      }]),
    assign: (name, index, owner) =>
      changePartition(name, index, (partition) => ({ ...partition, owner, token: partition.token + 1n })),
    plan: (name, plan) => change(name, (found) => [undefined, { ...found, plan }]),
    divide: (name, { at, count }) =>
      change(name, (found) => {
        const token = found.partitions.reduce((highest, each) => each.token > highest ? each.token : highest, 0n)
        return [undefined, {
          ...found,
          generation: found.generation + 1,
          plan: undefined,
          partitions: partitionsAt(count, at, token + 1n)
        }]
      }),
    move: ({ index, name, token }, from, to) =>
      Effect.map(
        change<boolean>(name, (found) => {
          const partition = found.partitions[index]
          if (partition?.token !== token || partition.position !== from || partition.paused !== undefined) {
            return [false, found]
          }
          return [true, { ...found, partitions: found.partitions.with(index, { ...partition, ...to }) }]
        }),
        (moved) => moved === true
      ),
    resume: (name) =>
      Effect.map(
        change<boolean>(name, (found) => [
          found.partitions.some(({ paused }) => paused !== undefined),
          { ...found, partitions: found.partitions.map((partition) => ({ ...partition, paused: undefined })) }
        ]),
        (resumed) => resumed === true
      ),
    remove: (name) =>
      database.write((state) => [undefined, {
        ...state,
        subscriptions: HashMap.remove(state.subscriptions, name),
        deadLetters: HashMap.remove(state.deadLetters, name)
      }]),
    outageOf: () => undefined,
    bury: (name, event, reason, attempts) =>
      database.write((state, fiber) => [
        undefined,
        withLetters(state, name, [
          ...lettersOf(state, name).filter(({ position }) => position < event.position),
          letterOf(event, reason, attempts, new Date(millis(fiber))),
          ...lettersOf(state, name).filter(({ position }) => position > event.position)
        ])
      ]),
    unbury: (name, position) =>
      database.write((state) => {
        const letters = lettersOf(state, name)
        const left = letters.filter((letter) => letter.position !== position)
        return [left.length < letters.length, withLetters(state, name, left)]
      }),
    buried: (name) => database.read((state) => lettersOf(state, name)),
    countBuried: (name) => database.read((state) => lettersOf(state, name).length)
  }
}

const millis = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

const divisionOf = (
  { generation, owners, partitions, plan }: MemorySubscription,
  fiber: Fiber.Fiber<unknown, unknown>
): Division => ({
  generation,
  partitions,
  plan,
  owners: [...owners].filter(([, expires]) => expires > millis(fiber)).map(([owner]) => owner).toSorted(compareText)
})

const partitionsAt = (count: number, position: bigint, token: bigint): ReadonlyArray<Partition> =>
  Array.from({ length: count }, (_, index) => ({ index, position, paused: undefined, owner: undefined, token }))

const letterOf = (event: StoredEvent, reason: string, attempts: number, at: Date): DeadLetter => ({
  position: event.position,
  stream: event.stream,
  version: event.version,
  eventId: event.id,
  type: event.type,
  truncated: false,
  reason,
  attempts,
  at
})

const lettersOf = (state: State, name: string): ReadonlyArray<DeadLetter> =>
  Option.getOrElse(HashMap.get(state.deadLetters, name), () => [])

const withLetters = (state: State, name: string, letters: ReadonlyArray<DeadLetter>): State => ({
  ...state,
  deadLetters: HashMap.set(state.deadLetters, name, letters)
})
