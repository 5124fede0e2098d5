/** `IdempotencyStore` over the database of this process; its time is the `Clock`. */
import { Clock, type Duration, type Fiber, HashMap, Option } from "effect"
import { type Claim, IdempotencyStore, type Key } from "../../IdempotencyStore.ts"
import { millisOf } from "../duration.ts"
import { uuid } from "../uuid.ts"
import type { Database, MemoryKey, State } from "./Database.ts"

export const make = (database: Database): IdempotencyStore["Service"] =>
  IdempotencyStore.of({
    claim: (key, options) => database.write((state, fiber) => claim(state, key, options, fiber)),
    complete: (key, token, answer) =>
      database.write((state, fiber) => {
        const held = holder(state, key, token)
        return held === undefined
          ? [false, state]
          : [true, set(state, key, { ...held, answer, expiresAt: now(fiber) + held.timeToLiveMillis })]
      }),
    release: (key, token) =>
      database.write((state) => {
        const held = holder(state, key, token)
        return held === undefined || held.answer !== undefined
          ? [undefined, state]
          : [undefined, { ...state, keys: HashMap.remove(state.keys, idOf(key)) }]
      }),
    prune: ({ expiredFor = "1 day" } = {}) =>
      database.write((state, fiber) => {
        const before = now(fiber) - millisOf(expiredFor)
        const keys = HashMap.filter(state.keys, ({ expiresAt }) => expiresAt > before)
        return [HashMap.size(state.keys) - HashMap.size(keys), { ...state, keys }]
      })
  })

const claim = (
  state: State,
  key: Key,
  options: {
    readonly fingerprint: string
    readonly lease: Duration.Input
    readonly timeToLive: Duration.Input
  },
  fiber: Fiber.Fiber<unknown, unknown>
): readonly [Claim, State] => {
  const found = Option.getOrUndefined(HashMap.get(state.keys, idOf(key)))
  if (found !== undefined && found.expiresAt > now(fiber)) {
    if (found.fingerprint !== options.fingerprint) return [{ _tag: "Mismatch" }, state]
    return [
      found.answer === undefined ? { _tag: "InProgress" } : { _tag: "Completed", answer: found.answer },
      state
    ]
  }
  const token = uuid(fiber)
  return [
    { _tag: "Claimed", token },
    set(state, key, {
      fingerprint: options.fingerprint,
      token,
      answer: undefined,
      expiresAt: now(fiber) + millisOf(options.lease),
      timeToLiveMillis: millisOf(options.timeToLive)
    })
  ]
}

const holder = (state: State, key: Key, token: string): MemoryKey | undefined => {
  const found = Option.getOrUndefined(HashMap.get(state.keys, idOf(key)))
  return found?.token === token ? found : undefined
}

const set = (state: State, key: Key, value: MemoryKey): State => ({
  ...state,
  keys: HashMap.set(state.keys, idOf(key), value)
})

const idOf = (key: Key): string => JSON.stringify([key.scope, key.key])

const now = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
