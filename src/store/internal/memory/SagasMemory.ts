/** Sagas in the database of this process; their time is the `Clock`. */
import { Clock, Effect, type Fiber, HashMap, Option } from "effect"
import { type Change, isEnded, type SagaRecord, type StepChange, type StepRecord } from "../../SagaStore.ts"
import type { Claim, ClaimedSaga, FullKey, Known, SagaBackend } from "../saga/SagaBackend.ts"
import type { Database, State } from "./Database.ts"

export interface MemorySaga {
  readonly sequence: bigint
  readonly saga: SagaRecord
  readonly leased: boolean
  /** When it is due, or when its lease ends. */
  readonly availableAt: number
}

export const make = (database: Database): SagaBackend => {
  const isHeld = (one: MemorySaga | undefined, { token }: Claim): one is MemorySaga =>
    one !== undefined && one.leased && one.saga.token === token

  return {
    insert: (made) =>
      database.write((state, fiber) => {
        const { delayMillis, id, input, meta, name, tenant, version } = made
        if (HashMap.has(state.sagaKeys, keyOf(made))) return [false, state]
        const now = nowOf(fiber)
        const sequence = state.sagaSequence + 1n
        const saga: SagaRecord = {
          tenant,
          name,
          id,
          version,
          input,
          meta: JSON.parse(meta) as SagaRecord["meta"],
          state: "running",
          backward: false,
          failure: undefined,
          parked: undefined,
          wish: undefined,
          attempts: 0,
          token: 0n,
          steps: [],
          startedAt: new Date(now),
          changedAt: new Date(now)
        }
        return [true, {
          ...put(state, { sequence, saga, leased: false, availableAt: now + delayMillis }),
          sagaKeys: HashMap.set(state.sagaKeys, keyOf(made), sequence),
          sagaSequence: sequence
        }]
      }),
    find: (key) => database.read((state) => named(state, key)?.saga),
    list: ({ limit = 100, names, states }) =>
      database.read((state) =>
        [...HashMap.values(state.sagas)]
          .filter(({ saga }) => (names?.includes(saga.name) ?? true) && (states?.includes(saga.state) ?? true))
          .toSorted((a, b) =>
            a.saga.changedAt.getTime() - b.saga.changedAt.getTime() || Number(a.sequence - b.sequence)
          )
          .slice(0, limit)
          .map(({ saga }) => saga)
      ),
    count: (names) =>
      database.read((state) => {
        const counts = new Map<SagaRecord["state"], number>()
        for (const { saga } of HashMap.values(state.sagas)) {
          if (names?.includes(saga.name) ?? true) counts.set(saga.state, (counts.get(saga.state) ?? 0) + 1)
        }
        return [...counts]
      }),
    claim: (known, limit, leaseMillis) =>
      database.write((state, fiber) => {
        const now = nowOf(fiber)
        const claimed = [...HashMap.values(state.sagas)]
          .flatMap((one) => dueAt(one, known) <= now ? [one] : [])
          .toSorted((a, b) => a.availableAt - b.availableAt || Number(a.sequence - b.sequence))
          .slice(0, limit)
          .map((one): MemorySaga => ({
            ...one,
            leased: true,
            availableAt: now + leaseMillis,
            saga: { ...one.saga, token: one.saga.token + 1n, attempts: one.saga.attempts + 1 }
          }))
        return [claimed.map((one) => claimedOf(one, now)), claimed.reduce(put, state)]
      }),
    next: (known) =>
      Effect.map(
        database.write((state, fiber) => [[[...HashMap.values(state.sagas)], nowOf(fiber)] as const, state]),
        ([sagas, now]) => {
          const first = Math.min(...sagas.map((one) => dueAt(one, known)))
          return first === Infinity ? undefined : first - now
        }
      ),
    extend: (held, leaseMillis) =>
      database.write((state, fiber) => {
        const availableAt = nowOf(fiber) + leaseMillis
        const kept = held.flatMap((claim) => {
          const one = numbered(state, claim.sequence)
          return isHeld(one, claim) ? [{ ...one, availableAt }] : []
        })
        return [new Set(kept.map(({ sequence }) => sequence)), kept.reduce(put, state)]
      }),
    write: (claim, change) =>
      database.write((state, fiber) => {
        const one = numbered(state, claim.sequence)
        if (!isHeld(one, claim)) return [undefined, state]
        const now = nowOf(fiber)
        const next = changed(one, change, now)
        return [{ wish: next.saga.wish, ageMillis: now - next.saga.startedAt.getTime() }, put(state, next)]
      }),
    release: (claim, delayMillis) =>
      database.write((state, fiber) => {
        const one = numbered(state, claim.sequence)
        return isHeld(one, claim)
          ? [undefined, put(state, { ...one, leased: false, availableAt: nowOf(fiber) + delayMillis })]
          : [undefined, state]
      }),
    take: (key, states) =>
      database.write((state, fiber) => {
        const one = named(state, key)
        if (one === undefined || !states.includes(one.saga.state)) return [undefined, state]
        const taken = { ...one, leased: true, saga: { ...one.saga, token: one.saga.token + 1n } }
        return [claimedOf(taken, nowOf(fiber)), put(state, taken)]
      }),
    cancel: (key, reason) =>
      database.write((state, fiber) => {
        const one = named(state, key)
        if (one === undefined || one.saga.state !== "running") return [false, state]
        const availableAt = one.leased ? one.availableAt : nowOf(fiber)
        return [true, put(state, { ...one, availableAt, saga: { ...one.saga, wish: one.saga.wish ?? reason } })]
      }),
    prune: (millis) =>
      database.write((state, fiber) => {
        const before = nowOf(fiber) - millis
        const old = [...HashMap.values(state.sagas)]
          .filter(({ saga }) => isEnded(saga.state) && saga.changedAt.getTime() <= before)
        return [old.length, {
          ...state,
          sagas: old.reduce((sagas, { sequence }) => HashMap.remove(sagas, sequence), state.sagas),
          sagaKeys: old.reduce((keys, { saga }) => HashMap.remove(keys, keyOf(saga)), state.sagaKeys)
        }]
      }),
    announce: () => {},
    listen: () => Effect.void,
    pollMillis: 60_000
  }
}

const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

const keyOf = ({ id, name, tenant }: FullKey): string => JSON.stringify([tenant, name, id])

const numbered = (state: State, sequence: bigint): MemorySaga | undefined =>
  Option.getOrUndefined(HashMap.get(state.sagas, sequence))

const named = (state: State, key: FullKey): MemorySaga | undefined => {
  const sequence = Option.getOrUndefined(HashMap.get(state.sagaKeys, keyOf(key)))
  return sequence === undefined ? undefined : numbered(state, sequence)
}

const put = (state: State, one: MemorySaga): State => ({
  ...state,
  sagas: HashMap.set(state.sagas, one.sequence, one)
})

/** When a worker that knows these may take it; never is `Infinity`. */
const dueAt = ({ availableAt, saga }: MemorySaga, { names, orphanMillis, versions }: Known): number => {
  if (saga.state !== "running" && saga.state !== "compensating") return Infinity
  const known = names.flatMap((name, index) => name === saga.name ? [versions[index] ?? 0] : [])
  if (known.includes(saga.version)) return availableAt
  return known.length > 0 && known.every((version) => version > saga.version) ? availableAt + orphanMillis : Infinity
}

const changed = (one: MemorySaga, change: Change, now: number): MemorySaga => {
  const { saga } = one
  const active = change.state === "running" || change.state === "compensating"
  const leased = active && change.releaseMillis === undefined
  return {
    ...one,
    leased,
    availableAt: leased ? one.availableAt : now + (change.releaseMillis ?? 0),
    saga: {
      ...saga,
      state: change.state,
      backward: change.backward ?? saga.backward,
      failure: change.failure ?? saga.failure,
      parked: change.parked,
      wish: change.wish ?? saga.wish,
      attempts: change.progress ? 0 : saga.attempts,
      steps: (change.steps ?? []).reduce((steps, step) => withStep(steps, step, now), saga.steps),
      changedAt: new Date(now)
    }
  }
}

const withStep = (steps: ReadonlyArray<StepRecord>, step: StepChange, now: number): ReadonlyArray<StepRecord> => {
  const found = steps.find(({ place }) => place === step.place)
  const written = { ...step, startedAt: found?.startedAt ?? new Date(now), changedAt: new Date(now) }
  return [...steps.filter((other) => other !== found), written].toSorted((a, b) => a.place - b.place)
}

const claimedOf = ({ saga, sequence }: MemorySaga, now: number): ClaimedSaga => ({
  sequence,
  token: saga.token,
  saga,
  ageMillis: now - saga.startedAt.getTime()
})
