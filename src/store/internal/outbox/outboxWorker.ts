/** One worker of an outbox: claim, publish, settle, and keep the leases of what it holds. */
import { Cause, Clock, Effect, Exit, Fiber, Option, Semaphore } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import * as RetrySchedule from "../../../resilience/RetrySchedule.ts"
import type { Message } from "../../Outbox.ts"
import * as Tenant from "../../Tenant.ts"
import { loud } from "../background.ts"
import { millisOf } from "../duration.ts"
import * as leases from "../leases.ts"
import { reasonOf } from "../reasons.ts"
import type { OutboxBackend, Settlement } from "./OutboxBackend.ts"
import { type Settings, workerName } from "./settings.ts"
import { Signal } from "../Signal.ts"

interface Held extends leases.Leased {
  readonly message: Message
  fiber: Fiber.Fiber<void> | undefined
  running: boolean
}

/** Between two looks when something is due that cannot be claimed yet. */
const leastMillis = 10
const pruneEveryMillis = 60_000
/** Between two reports of what there is to do. */
const observeEveryMillis = 10_000
/** How long a worker that stops tries to say what it has published. */
const farewell = "5 seconds"

export const work = <E, R>(
  backend: OutboxBackend,
  workers: Set<() => void>,
  settings: Settings<E, R>
): Effect.Effect<never, never, R> =>
  Effect.scoped(Effect.gen(function*() {
    const { attempts, batchSize, leaseMillis, poison, timeoutMillis, topics } = settings
    const slots = yield* Semaphore.make(settings.concurrency)
    const held = new Map<bigint, Held>()
    /** What has ended and is not settled yet. */
    let ended: ReadonlyArray<Settlement> = []
    const signal = new Signal()
    let woken = true
    let stopping = false
    const worker = yield* Effect.withFiber(Effect.succeed)
    const recorder = worker.getRef(Recorder.Current)

    const wake = (): void => {
      woken = true
      signal.notify()
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => workers.add(wake)),
      () => Effect.sync(() => workers.delete(wake))
    )

    const end = (
      { sequence, token }: Message,
      outcome: Settlement["outcome"],
      delayMillis = 0,
      reason = ""
    ): void => {
      ended = [...ended, { sequence, token, outcome, delayMillis, reason }]
      signal.notify()
    }
    const bury = (message: Message, reason: string): void =>
      end(message, poison === "pause" && message.key !== undefined ? "paused" : "dead", 0, reason)

    const slow = Effect.die(new Error(`It was not published within the timeout (${timeoutMillis} ms)`))
    const publish = Effect.fnUntraced(function*(one: Held) {
      const { message } = one
      // A message that ends its workers must not be tried for ever.
      if (message.attempt > attempts) {
        return bury(message, `${nameOf(message)}: no worker that claimed it has lived to say how it ended`)
      }
      if (stopping) return end(message, "released")
      one.running = true
      const exit = yield* Effect.suspend(() => settings.publish(message)).pipe(
        Effect.timeoutOrElse({ duration: timeoutMillis, orElse: () => slow }),
        Effect.provideService(Tenant.Current, message.tenant),
        Effect.exit
      )
      one.running = false
      if (Exit.isSuccess(exit)) return end(message, "published")
      const delay = message.attempt >= attempts
        ? Option.none()
        : yield* RetrySchedule.delayAfter(settings.retry, message.attempt, exit.cause)
      const reason = reasonOf(nameOf(message), exit.cause)
      return Option.isNone(delay) ? bury(message, reason) : end(message, "again", millisOf(delay.value), reason)
    })

    /** A message whose fiber ends without saying how must not be held for ever: its schedule has thrown, or was stopped. */
    const endAnyway = (one: Held, cause: Cause.Cause<unknown>): void => {
      const { message } = one
      one.running = false
      if (held.get(message.sequence) !== one || stopping || isEnded(one)) return
      const reason = reasonOf(nameOf(message), cause)
      if (Cause.hasInterruptsOnly(cause) && message.attempt < attempts) end(message, "again", 0, reason)
      else bury(message, reason)
    }
    const isEnded = (one: Held): boolean =>
      ended.some(({ sequence, token }) => sequence === one.sequence && token === one.token)

    const settled = (batch: ReadonlyArray<Settlement>): void => {
      const done = new Set(batch)
      ended = ended.filter((settlement) => !done.has(settlement))
      for (const settlement of batch) {
        const { sequence, token } = settlement
        const one = held.get(sequence)
        if (one?.token !== token) continue
        held.delete(sequence)
        if (recorder !== undefined) tell(recorder, one.message, settlement)
      }
    }

    const tell = (recorder: Recorder.Recorder, { at, attempt, topic }: Message, { outcome }: Settlement): void => {
      if (outcome === "released") return
      const ageMillis = Math.max(0, worker.getRef(Clock.Clock).currentTimeMillisUnsafe() - at.getTime())
      recorder({ _tag: "MessageSettled", topic, outcome: told[outcome], attempt, ageMillis }, worker)
    }

    const observe = recorder === undefined ? Effect.void : backend.status(topics).pipe(
      Effect.map(({ dead, oldestMillis = 0, pausedKeys, pending }) =>
        recorder({
          _tag: "OutboxObserved",
          topics: topics?.join() ?? "*",
          pending,
          oldestMillis,
          deadLetters: dead,
          pausedKeys
        }, worker)
      ),
      Effect.ignore,
      Effect.andThen(Effect.sleep(observeEveryMillis)),
      Effect.forever
    )

    /**
     * Says what has ended, and takes what there is room for, the next messages of the same keys included. An interruption
     * waits for the answer, because what was claimed must be given back.
     */
    const advance = Effect.gen(function*() {
      const batch = ended
      const free = batchSize - held.size + batch.length
      woken = false
      const since = yield* Clock.currentTimeMillis
      const messages = yield* backend.advance(batch, free, leaseMillis, topics)
      settled(batch)
      for (const message of messages) {
        const { sequence, token } = message
        const until = since + leaseMillis
        const one: Held = { message, sequence, token, until, fiber: undefined, running: false }
        held.set(sequence, one)
        one.fiber = yield* slots.withPermit(Effect.suspend(() => publish(one))).pipe(
          Effect.onError((cause) => Effect.sync(() => endAnyway(one, cause))),
          Effect.forkScoped
        )
      }
      if (messages.length === free) woken = true // there may be more
    }).pipe(Effect.uninterruptible, Effect.retry(leases.outage), Effect.orDie)

    /** What was lost to another worker, or soon may be, is given up: the other one publishes it. */
    const lose = (one: Held): void => {
      held.delete(one.message.sequence)
      ended = ended.filter(({ sequence, token }) => sequence !== one.message.sequence || token !== one.message.token)
      one.fiber?.interruptUnsafe()
    }

    const keep = leases.keep<Held>({
      leaseMillis,
      held: () => [...held.values()],
      isHeld: (one) => held.get(one.sequence) === one,
      extend: backend.extend,
      lose
    })

    const prune = Effect.ignore(backend.prune(settings.retentionMillis)).pipe(
      Effect.andThen(Effect.sleep(pruneEveryMillis)),
      Effect.forever
    )

    const loop = Effect.gen(function*() {
      const ready = () => ended.length > 0 || (woken && held.size < batchSize)
      while (true) {
        if (ready()) yield* advance
        yield* Effect.yieldNow // what is published at once needs no look at the time
        if (ready()) continue
        const next = held.size < batchSize ? yield* leases.persist(backend.next(topics)) : undefined
        const wait = Math.min(backend.pollMillis, Math.max(leastMillis, next ?? backend.pollMillis))
        const changed = yield* Effect.timeoutOption(signal.until(ready), wait)
        if (Option.isNone(changed)) woken = true
      }
    })

    /** Lets what is being published end, gives the rest back, and says so. */
    const stop = Effect.gen(function*() {
      stopping = true
      const running = () => [...held.values()].some((one) => one.running)
      yield* Effect.timeoutOption(signal.until(() => !running()), settings.drainMillis)
      for (const one of held.values()) {
        const { running } = one
        one.fiber?.interruptUnsafe()
        if (!isEnded(one)) end(one.message, running ? "again" : "released", 0, "its worker was stopped")
      }
      const last = ended
      const said = yield* Effect.timeoutOption(leases.persist(backend.settle(last)), farewell)
      if (Option.isSome(said)) settled(last)
    })

    const keeping = yield* Effect.forkScoped(keep)
    yield* Effect.forkScoped(loud(`${workerName(topics)}: its pruning`)(prune))
    yield* Effect.forkScoped(loud(`${workerName(topics)}: its reports`)(observe))
    return yield* Effect.onExit(
      // Without renewals every message would be another's in the middle of its publishing.
      Effect.raceFirst(loop, Fiber.join(keeping)),
      // On a fiber of its own, because this one is being interrupted.
      () => Effect.flatMap(Effect.forkDetach(stop, { startImmediately: true }), Fiber.await)
    )
  }))

const told = { published: "published", again: "retried", dead: "buried", paused: "buried" } as const

const nameOf = ({ id, key, topic }: Message): string => `message ${id} (${topic}${key === undefined ? "" : ` ${key}`})`
