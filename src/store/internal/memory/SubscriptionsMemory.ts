/** The rows of subscriptions in the database of this process. Its mark is what is committed: transactions take turns. */
import { Clock, Effect, HashMap, Option } from "effect"
import type { StoredEvent } from "../../EventStore.ts"
import type { DeadLetter } from "../../Subscription.ts"
import type { Checkpoint, SubscriptionBackend } from "../SubscriptionBackend.ts"
import type { Database, State } from "./Database.ts"

export const make = (database: Database): SubscriptionBackend => {
  const find = (name: string) => database.read((state) => Option.getOrUndefined(HashMap.get(state.subscriptions, name)))
  const change = <A>(name: string, f: (found: Checkpoint | undefined) => readonly [A, Checkpoint | undefined]) =>
    database.write((state) => {
      const found = Option.getOrUndefined(HashMap.get(state.subscriptions, name))
      const [answer, next] = f(found)
      return next === undefined || next === found
        ? [answer, state]
        : [answer, { ...state, subscriptions: HashMap.set(state.subscriptions, name, next) }]
    })
  return {
    start: Effect.void,
    highWater: Effect.sync(() => {
      const mark = database.position()
      return { mark, highest: mark, gapMillis: undefined, holders: 0 }
    }),
    markBeyond: (position) =>
      Effect.map(database.appended.until(() => database.position() > position), () => database.position()),
    highest: Effect.sync(database.position),
    find,
    lock: find,
    open: (name, position) =>
      change(name, (found) => {
        const checkpoint = found ?? { position, paused: undefined }
        return [checkpoint, checkpoint]
      }),
    save: (name, position) => change(name, (found) => [undefined, found && { ...found, position }]),
    pause: (name, position, reason) =>
      change(name, (found) => [undefined, found && { ...found, paused: { position, reason } }]),
    resume: (name) => change(name, (found) => [found?.paused !== undefined, found && { ...found, paused: undefined }]),
    bury: (name, event, reason, attempts) =>
      database.write((state, fiber) => {
        const at = new Date(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
        return [undefined, withLetters(state, name, [...lettersOf(state, name), letterOf(event, reason, attempts, at)])]
      }),
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

const letterOf = (event: StoredEvent, reason: string, attempts: number, at: Date): DeadLetter => ({
  position: event.position,
  stream: event.stream,
  version: event.version,
  eventId: event.id,
  type: event.type,
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
