/** The outbox in the database of this process; its time is the `Clock`. */
import { Clock, Effect, type Fiber } from "effect"
import type { DeadLetter, Message } from "../../Outbox.ts"
import type { OutboxBackend, PreparedMessage, Settlement } from "../outbox/OutboxBackend.ts"
import type { Database, State } from "./Database.ts"

/** A message whose payload is still JSON text, so that nobody can change what is stored. */
export interface MemoryMessage extends Omit<PreparedMessage, "delayMillis"> {
  readonly sequence: bigint
  readonly millis: number
  /** When it is due, or when its lease ends. */
  readonly availableAt: number
  readonly state: "pending" | "published" | "dead" | "paused" | "discarded"
  readonly leased: boolean
  readonly token: bigint
  readonly attempts: number
  readonly reason: string
  readonly settledAt: number
}

export const make = (database: Database): OutboxBackend => {
  /** Changes messages; `f` answers the message itself where it leaves it. */
  const change = <A>(answer: (changed: ReadonlyArray<MemoryMessage>) => A) =>
  (
    f: (message: MemoryMessage, now: number) => MemoryMessage | undefined
  ) =>
    database.write((state, fiber) => {
      const now = nowOf(fiber)
      const changed: Array<MemoryMessage> = []
      const messages = state.outbox.flatMap((message) => {
        const next = f(message, now)
        if (next !== message) changed.push(next ?? message)
        return next === undefined ? [] : [next]
      })
      return [answer(changed), changed.length === 0 ? state : { ...state, outbox: messages }]
    })

  const settle = (settlements: ReadonlyArray<Settlement>) =>
    change(() => undefined)((message, now) => {
      const found = settlements.find((settlement) => isHeld(message, settlement))
      if (found === undefined) return message
      const { delayMillis, outcome, reason } = found
      const settled = { ...message, leased: false, reason, settledAt: now }
      switch (outcome) {
        case "again":
          return { ...settled, availableAt: now + delayMillis }
        case "released":
          return { ...settled, availableAt: now, attempts: message.attempts - 1 }
        default:
          return { ...settled, state: outcome }
      }
    })

  const claim = (limit: number, leaseMillis: number, topics: ReadonlyArray<string> | undefined) =>
    database.write((state, fiber) => {
      const now = nowOf(fiber)
      const claimed = new Map(
        heads(state).filter((message) => message.availableAt <= now && isOf(topics)(message))
          .toSorted((a, b) => a.availableAt - b.availableAt || Number(a.sequence - b.sequence))
          .slice(0, limit)
          .map((message): [bigint, MemoryMessage] => [message.sequence, {
            ...message,
            availableAt: now + leaseMillis,
            leased: true,
            token: message.token + 1n,
            attempts: message.attempts + 1
          }])
      )
      return [
        [...claimed.values()].map(open),
        { ...state, outbox: state.outbox.map((message) => claimed.get(message.sequence) ?? message) }
      ]
    })

  return {
    enqueue: (messages) =>
      database.write((state, fiber) => {
        const now = nowOf(fiber)
        const taken = new Set(state.outbox.map(idOf))
        let sequence = state.outboxSequence
        const added = messages.flatMap(({ delayMillis, ...message }): ReadonlyArray<MemoryMessage> => {
          if (taken.has(idOf(message))) return []
          taken.add(idOf(message))
          return [{
            ...message,
            sequence: ++sequence,
            millis: now,
            availableAt: now + delayMillis,
            state: "pending",
            leased: false,
            token: 0n,
            attempts: 0,
            reason: "",
            settledAt: 0
          }]
        })
        return [undefined, { ...state, outbox: [...state.outbox, ...added], outboxSequence: sequence }]
      }),
    advance: (settlements, limit, leaseMillis, topics) =>
      Effect.andThen(settle(settlements), claim(limit, leaseMillis, topics)),
    next: (topics) =>
      database.write((state, fiber) => {
        const due = heads(state).filter(isOf(topics)).map(({ availableAt }) => availableAt)
        return [due.length === 0 ? undefined : Math.min(...due) - nowOf(fiber), state]
      }),
    extend: (held, leaseMillis) =>
      change((changed) => new Set(changed.map(({ sequence }) => sequence)))((message, now) =>
        held.some((claim) => isHeld(message, claim)) ? { ...message, availableAt: now + leaseMillis } : message
      ),
    settle,
    status: (topics) =>
      database.write((state, fiber) => {
        const now = nowOf(fiber)
        const all = state.outbox.filter(isOf(topics))
        const pending = all.filter((message) => message.state === "pending")
        const [oldest] = pending.map(({ millis }) => millis).toSorted((a, b) => a - b)
        return [{
          pending: pending.length,
          inFlight: pending.filter((message) => message.leased && message.availableAt > now).length,
          dead: all.filter((message) => isDead(message)).length,
          pausedKeys: all.filter((message) => message.state === "paused").length,
          oldestMillis: oldest === undefined ? undefined : now - oldest
        }, state]
      }),
    deadLetters: (topics, limit) =>
      database.read((state) =>
        state.outbox.filter((message) => isDead(message) && isOf(topics)(message)).slice(0, limit).map(letterOf)
      ),
    redeliver: (tenant, id) =>
      database.write((state, fiber) => {
        const found = state.outbox.find((message) => message.tenant === tenant && message.id === id && isDead(message))
        if (found === undefined) return [false, state]
        const again: MemoryMessage = { ...found, state: "pending", availableAt: nowOf(fiber), attempts: 0 }
        const last = { ...again, sequence: state.outboxSequence + 1n }
        return [
          true,
          found.state === "paused"
            ? { ...state, outbox: state.outbox.map((message) => message === found ? again : message) }
            : {
              ...state,
              outbox: [...state.outbox.filter((message) => message !== found), last],
              outboxSequence: last.sequence
            }
        ]
      }),
    discard: (tenant, id) =>
      change((changed) => changed.length > 0)((message, now) =>
        message.tenant === tenant && message.id === id && isDead(message)
          ? { ...message, state: "discarded", settledAt: now }
          : message
      ),
    prune: (millis) =>
      change((changed) => changed.length)((message, now) =>
        (message.state === "published" || message.state === "discarded") && message.settledAt <= now - millis
          ? undefined
          : message
      ),
    announce: () => {},
    listen: () => Effect.void,
    pollMillis: 500
  }
}

/** The first unfinished message of each key, and every one without a key, where it is to be published. */
const heads = (state: State): ReadonlyArray<MemoryMessage> => {
  const seen = new Set<string>()
  return state.outbox.filter((message) => {
    if (message.state !== "pending" && message.state !== "paused") return false
    if (message.key === undefined) return true
    const lane = JSON.stringify([message.tenant, message.topic, message.key])
    if (seen.has(lane)) return false
    seen.add(lane)
    return message.state === "pending"
  })
}

const isDead = ({ state }: MemoryMessage): boolean => state === "dead" || state === "paused"

const isHeld = (
  message: MemoryMessage,
  claim: { readonly sequence: bigint; readonly token: bigint }
): boolean => message.sequence === claim.sequence && message.token === claim.token && message.leased

const isOf = (topics: ReadonlyArray<string> | undefined) => ({ topic }: MemoryMessage): boolean =>
  topics === undefined || topics.includes(topic)

const idOf = ({ id, tenant }: { readonly id: string; readonly tenant: string }): string => JSON.stringify([tenant, id])

const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

const base = (message: MemoryMessage) => ({
  id: message.id,
  tenant: message.tenant,
  topic: message.topic,
  key: message.key,
  payload: JSON.parse(message.payload) as unknown,
  headers: JSON.parse(message.headers) as Readonly<Record<string, string>>,
  sequence: message.sequence,
  at: new Date(message.millis)
})

const open = (message: MemoryMessage): Message => ({
  ...base(message),
  attempt: message.attempts,
  token: message.token
})

const letterOf = (message: MemoryMessage): DeadLetter => ({
  ...base(message),
  attempts: message.attempts,
  reason: message.reason,
  diedAt: new Date(message.settledAt),
  pausesKey: message.state === "paused"
})
