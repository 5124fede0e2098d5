/** `SagaStore` over any backend. */
import { Effect } from "effect"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import { InvalidSaga, type NewSaga, type SagaKey, SagaStore } from "../../SagaStore.ts"
import * as Tenant from "../../Tenant.ts"
import type { UnitOfWork } from "../../UnitOfWork.ts"
import { millisOf } from "../duration.ts"
import type { ClaimedSaga, FullKey, SagaBackend } from "./SagaBackend.ts"
import * as luggage from "./sagaLuggage.ts"
import { work } from "./sagaWorker.ts"
import { checked } from "./settings.ts"
import { isStorable } from "../text.ts"

const longest = 255

export const make = (backend: SagaBackend, unit: UnitOfWork["Service"]): SagaStore["Service"] => {
  const workers = new Set<() => void>()
  const listeners = new Set<() => void>()
  const promises = new Set<string>()
  const hear = (): void => {
    for (const wake of workers) wake()
    for (const listener of listeners) listener()
  }
  const changed = unit.afterCommit(Effect.sync(() => {
    backend.announce()
    hear()
  }))

  const full = (key: SagaKey): Effect.Effect<FullKey> =>
    Effect.map(Tenant.Current, (tenant) => ({ tenant: key.tenant ?? tenant, name: key.name, id: key.id }))
  const keyOf = ({ id, name, tenant }: FullKey): string => JSON.stringify([tenant, name, id])
  const promised = {
    has: ({ saga }: ClaimedSaga) => promises.has(keyOf(saga)),
    keep: ({ saga }: ClaimedSaga) => void promises.delete(keyOf(saga))
  }

  return SagaStore.of({
    start: (saga) =>
      Effect.gen(function*() {
        const { delay = 0, input, version } = saga
        const problem = problemOf(saga)
        if (problem !== undefined) return yield* problem
        const key = yield* full(saga)
        const meta = JSON.stringify(yield* luggage.pack)
        while (true) {
          const started = yield* backend.insert({ ...key, version, input, meta, delayMillis: millisOf(delay) })
          if (started) yield* changed
          const found = yield* backend.find(key)
          if (found !== undefined) return { started, saga: found }
          // It had ended and was pruned in between, so its id is free.
        }
      }),
    find: (key) => isStorable(key.id) ? Effect.flatMap(full(key), backend.find) : Effect.undefined,
    list: (options = {}) => backend.list({ ...options, limit: limitOf(options.limit) }),
    count: (names) =>
      Effect.map(backend.count(names), (counts) => ({
        running: 0,
        compensating: 0,
        parked: 0,
        completed: 0,
        compensated: 0,
        cancelled: 0,
        abandoned: 0,
        ...Object.fromEntries(counts)
      })),
    amend: (key, states, change) =>
      Effect.flatMap(full(key), (key) =>
        unit.run(Effect.gen(function*() {
          if (!isStorable(key.id)) return false
          const taken = yield* backend.take(key, states)
          if (taken === undefined) return false
          const next = yield* change(taken.saga)
          if (next === undefined) {
            yield* backend.release(taken, 0)
            return false
          }
          yield* backend.write(taken, next)
          yield* changed
          return true
        }))),
    cancel: (key, reason) =>
      Effect.gen(function*() {
        if (!isStorable(key.id)) return false
        const found = yield* backend.cancel(yield* full(key), reason.replaceAll("\0", "").toWellFormed())
        if (found) yield* changed
        return found
      }),
    work: (options) =>
      Effect.gen(function*() {
        const limits = checked("SagaStore.work", options)
        if (limits instanceof InvalidOption) return yield* limits
        if (yield* unit.isOpen) {
          return yield* Effect.die(
            new Error("SagaStore.work inside a transaction would wait for its commit; call it after the commit")
          )
        }
        yield* backend.listen(hear)
        return yield* work({ backend, changed, promised, unit, workers }, { ...limits, handle: options.handle })
      }).pipe(Effect.scoped),
    promise: (key) =>
      Effect.map(full(key), (key) => {
        if (workers.size > 0) promises.add(keyOf(key))
      }),
    heard: (listener) =>
      Effect.andThen(
        backend.listen(hear),
        Effect.asVoid(Effect.acquireRelease(
          Effect.sync(() => listeners.add(listener)),
          () => Effect.sync(() => listeners.delete(listener))
        ))
      ),
    pollMillis: backend.pollMillis,
    prune: (olderThan) => backend.prune(millisOf(olderThan))
  })
}

const problemOf = ({ id, input, name }: NewSaga): InvalidSaga | undefined => {
  const reason = id === ""
    ? "its id is empty"
    : id.length > longest
    ? `its id is longer than ${longest} characters`
    : !isStorable(id) || !isStorable(name)
    ? "its id holds a character that cannot be stored"
    : !isStorable(input)
    ? "its input is not JSON text"
    : undefined
  return reason === undefined ? undefined : new InvalidSaga({ saga: name, id, reason })
}

const limitOf = (limit: number | undefined): number =>
  limit === undefined ? 100 : Math.min(10_000, Math.max(0, Math.floor(limit)))
