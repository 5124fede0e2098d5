/** One worker of sagas: claims what is due, brings each on, and keeps the leases of what it holds. */
import { Cause, Clock, Effect, Exit, Fiber, Option } from "effect"
import { type Held, isEnded, type WorkOptions } from "../../SagaStore.ts"
import type { UnitOfWork } from "../../UnitOfWork.ts"
import { loud } from "../background.ts"
import * as leases from "../leases.ts"
import type { ClaimedSaga, SagaBackend } from "./SagaBackend.ts"
import type { Limits } from "./settings.ts"
import { Signal } from "../Signal.ts"

export interface Settings<R> extends Limits {
  readonly handle: WorkOptions<R>["handle"]
}

interface Holding extends leases.Leased {
  readonly claimed: ClaimedSaga
  /** Whether it was written that it is no longer held. */
  released: boolean
  fiber: Fiber.Fiber<void> | undefined
}

/** Between two looks when something is due that cannot be claimed yet. */
const leastMillis = 10
const pruneEveryMillis = 60_000
/** After how long another owner may try what this one could not bring on: 1, 2, 4 seconds and so on up to 5 minutes. */
export const backoffMillis = (attempts: number): number => Math.min(300_000, 1000 * 2 ** Math.min(20, attempts - 1))
/** How long a worker that stops tries to give back what it holds. */
const farewell = "5 seconds"

export interface Surroundings {
  readonly backend: SagaBackend
  /** The workers of this process. */
  readonly workers: Set<() => void>
  /** What must have ended before a worker of this process stops. */
  readonly promised: {
    readonly has: (claimed: ClaimedSaga) => boolean
    readonly keep: (claimed: ClaimedSaga) => void
  }
  /** Something was written, once the open transaction commits. */
  readonly changed: Effect.Effect<void>
  readonly unit: UnitOfWork["Service"]
}

export const work = <R>(
  { backend, changed, promised, unit, workers }: Surroundings,
  settings: Settings<R>
): Effect.Effect<never, never, R> =>
  Effect.scoped(Effect.gen(function*() {
    const { concurrency, handle, known, leaseMillis } = settings
    const held = new Map<bigint, Holding>()
    const signal = new Signal()
    let woken = true
    let stopping = false

    const wake = (): void => {
      woken = true
      signal.notify()
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => workers.add(wake)),
      () => Effect.sync(() => workers.delete(wake))
    )

    const isHeld = (one: Holding): boolean => held.get(one.sequence) === one

    const write = (one: Holding): Held["write"] => (change) =>
      Effect.gen(function*() {
        const writing = backend.write(one, change)
        // A transaction that has lost its connection cannot be tried again from inside.
        const written = yield* (yield* unit.isOpen) ? writing : leases.persist(writing)
        const over = isEnded(change.state) || change.state === "parked"
        if (written === undefined || over || change.releaseMillis !== undefined) one.released = true
        if (over) promised.keep(one.claimed)
        yield* changed
        return written
      })

    const bring = (one: Holding): Effect.Effect<void, never, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const { ageMillis, saga } = one.claimed
          const isStopping = () => stopping && !promised.has(one.claimed)
          const handled = Effect.suspend(() => handle({ saga, ageMillis, isStopping, write: write(one) }))
          const exit = yield* Effect.exit(restore(handled))
          if (one.released || !isHeld(one)) return
          // What it could not bring to a point, another attempt may: at once where it only was stopped.
          const failed = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
          if (failed && Cause.hasDies(exit.cause)) {
            const message = `Unhandled error in the saga ${saga.name} "${saga.id}"`
            yield* Effect.ignoreCause(Effect.failCause(exit.cause), { log: "Unhandled", message })
          }
          const releaseMillis = failed ? backoffMillis(saga.attempts) : 0
          const release = backend.release(one, releaseMillis)
          yield* Effect.interruptible(leases.persist(release)).pipe(Effect.timeoutOption(farewell))
          yield* changed
        })
      )

    const claim = Effect.gen(function*() {
      const free = concurrency - held.size
      woken = false
      const since = yield* Clock.currentTimeMillis
      const claims = yield* backend.claim(known, free, leaseMillis)
      for (const claimed of claims) {
        const { sequence, token } = claimed
        const one: Holding = { claimed, sequence, token, until: since + leaseMillis, released: false, fiber: undefined }
        held.set(sequence, one)
        one.fiber = yield* bring(one).pipe(
          Effect.onExit(() =>
            Effect.sync(() => {
              if (isHeld(one)) held.delete(sequence)
              wake()
            })
          ),
          Effect.interruptible,
          Effect.forkScoped
        )
      }
      if (claims.length === free) woken = true // there may be more
    }).pipe(Effect.uninterruptible, Effect.retry(leases.outage), Effect.orDie)

    const keep = leases.keep<Holding>({
      leaseMillis,
      held: () => [...held.values()],
      isHeld,
      extend: backend.extend,
      lose: (one) => {
        held.delete(one.sequence)
        one.fiber?.interruptUnsafe()
      }
    })

    const prune = Effect.ignore(backend.prune(settings.retentionMillis)).pipe(
      Effect.andThen(Effect.sleep(pruneEveryMillis)),
      Effect.forever
    )

    const loop = Effect.gen(function*() {
      const ready = () => woken && held.size < concurrency
      while (true) {
        if (ready()) yield* claim
        yield* Effect.yieldNow
        if (ready()) continue
        const next = held.size < concurrency ? yield* leases.persist(backend.next(known)) : undefined
        const wait = Math.min(backend.pollMillis, Math.max(leastMillis, next ?? backend.pollMillis))
        const early = yield* Effect.timeoutOption(signal.until(ready), wait)
        if (Option.isNone(early)) woken = true
      }
    })

    /** Lets the steps under way end, and what was promised; gives the rest back. */
    const stop = Effect.gen(function*() {
      stopping = true
      yield* signal.until(() => ![...held.values()].some(({ claimed }) => promised.has(claimed)))
      yield* Effect.timeoutOption(signal.until(() => held.size === 0), settings.drainMillis)
      yield* Fiber.interruptAll([...held.values()].flatMap(({ fiber }) => fiber === undefined ? [] : [fiber]))
    })

    const keeping = yield* Effect.forkScoped(keep)
    yield* Effect.forkScoped(loud(`The worker of the sagas ${known.names.join()}: its pruning`)(prune))
    return yield* Effect.onExit(
      // Without renewals every saga would be another's in the middle of a step.
      Effect.raceFirst(loop, Fiber.join(keeping)),
      // On a fiber of its own, because this one is being interrupted.
      () => Effect.flatMap(Effect.forkDetach(stop, { startImmediately: true }), Fiber.await)
    )
  }))
