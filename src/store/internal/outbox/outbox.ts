/** `Outbox` over any backend. */
import { Effect } from "effect"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import { InvalidMessage, type NewMessage, Outbox } from "../../Outbox.ts"
import * as Tenant from "../../Tenant.ts"
import type { UnitOfWork } from "../../UnitOfWork.ts"
import { millisOf } from "../duration.ts"
import { prepareMessage } from "./messages.ts"
import type { OutboxBackend, PreparedMessage } from "./OutboxBackend.ts"
import { work } from "./outboxWorker.ts"
import { checked } from "./settings.ts"
import { isStorable } from "../text.ts"

export const make = (backend: OutboxBackend, unit: UnitOfWork["Service"]): Outbox["Service"] => {
  /** The workers of this process. */
  const workers = new Set<() => void>()
  const wakeAll = (): void => {
    for (const wake of workers) wake()
  }
  const enqueued = unit.afterCommit(Effect.sync(() => {
    wakeAll()
    backend.announce()
  }))

  const enqueueAll = (messages: ReadonlyArray<NewMessage>) =>
    Effect.withFiber<ReadonlyArray<string>, InvalidMessage | Effect.Error<ReturnType<OutboxBackend["enqueue"]>>>(
      (fiber) => {
        const prepared: Array<PreparedMessage> = []
        for (const message of messages) {
          const one = prepareMessage(message, fiber)
          if (one instanceof InvalidMessage) return Effect.fail(one)
          prepared.push(one)
        }
        if (prepared.length === 0) return Effect.succeed([])
        return Effect.andThen(backend.enqueue(prepared), Effect.as(enqueued, prepared.map(({ id }) => id)))
      }
    )

  /** Changes one dead letter of the ambient tenant, after which its key may go on. */
  const changeOne = (change: OutboxBackend["redeliver"]) => (id: string) =>
    Effect.gen(function*() {
      const tenant = yield* Tenant.Current
      if (!isStorable(id) || !isStorable(tenant)) return false
      const changed = yield* change(tenant, id)
      if (changed) yield* enqueued
      return changed
    })

  return Outbox.of({
    enqueue: (message) => Effect.map(enqueueAll([message]), ([id]) => id ?? ""),
    enqueueAll,
    run: (options) =>
      Effect.gen(function*() {
        const settings = checked("Outbox.run", options)
        if (settings instanceof InvalidOption) return yield* settings
        if (yield* unit.isOpen) {
          return yield* Effect.die(
            new Error("Outbox.run inside a transaction would wait for its commit; call it after the commit")
          )
        }
        yield* backend.listen(wakeAll)
        return yield* work(backend, workers, settings)
      }).pipe(Effect.scoped),
    status: (options) => backend.status(options?.topics?.filter(isStorable)),
    deadLetters: (options) => backend.deadLetters(options?.topics?.filter(isStorable), limitOf(options?.limit)),
    redeliver: changeOne(backend.redeliver),
    discard: changeOne(backend.discard),
    prune: (olderThan) => backend.prune(millisOf(olderThan))
  })
}

const limitOf = (limit: number | undefined): number =>
  limit === undefined ? 100 : Math.min(10_000, Math.max(0, Math.floor(limit)))
