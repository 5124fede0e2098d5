/** One worker of an outbox: claim, publish, settle, and keep the leases of what it holds. */
import { Cause, Clock, Duration, Effect, Exit, Fiber, Option, Schedule, Semaphore } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import * as Invalid from "../../../resilience/InvalidOption.ts"
import * as RetrySchedule from "../../../resilience/RetrySchedule.ts"
import type { Message, Options } from "../../Outbox.ts"
import * as Tenant from "../../Tenant.ts"
import { millisOf } from "../duration.ts"
import * as leases from "../leases.ts"
import type { OutboxBackend, Settlement } from "./OutboxBackend.ts"
import { Signal } from "../Signal.ts"

export interface Settings<E, R> {
  readonly publish: Options<E, R>["publish"]
  readonly topics: ReadonlyArray<string> | undefined
  readonly batchSize: number
  readonly concurrency: number
  readonly leaseMillis: number
  readonly retry: Schedule.Schedule<unknown, Cause.Cause<unknown>>
  readonly attempts: number
  readonly poison: "pause" | "skip"
  readonly drainMillis: number
  readonly retentionMillis: number
}

interface Held extends leases.Leased {
  readonly message: Message
  fiber: Fiber.Fiber<void> | undefined
  running: boolean
}

const longestBackoff = Duration.minutes(5)
const usualRetry = Schedule.exponential("1 second").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, longestBackoff))),
  Schedule.jittered
)
/** Between two looks when something is due that cannot be claimed yet. */
const leastMillis = 10
const pruneEveryMillis = 60_000
/** Between two reports of what there is to do. */
const observeEveryMillis = 10_000
/** How long a worker that stops tries to say what it has published. */
const farewell = "5 seconds"

/** The options with their defaults, or what is wrong with one of them. */
export const checked = <E, R>(options: Options<E, R>): Settings<E, R> | Invalid.InvalidOption => {
  const { attempts = 10, batchSize = 100, concurrency = 16, drain = "10 seconds", lease = "30 seconds" } = options
  const module = "Outbox.run"
  try {
    return {
      publish: options.publish,
      topics: options.topics,
      batchSize: Invalid.wholeNumber(module, "batchSize", batchSize, 1, 10_000),
      concurrency: Invalid.wholeNumber(module, "concurrency", concurrency, 1, 10_000),
      leaseMillis: Invalid.millisBetween(module, "lease", lease, 100),
      retry: options.retry ?? usualRetry,
      attempts: Invalid.wholeNumber(module, "attempts", attempts, 1, 1_000_000),
      poison: options.poison ?? "pause",
      drainMillis: Invalid.finiteMillis(module, "drain", drain),
      retentionMillis: Invalid.finiteMillis(module, "retention", options.retention ?? "7 days")
    }
  } catch (error) {
    if (error instanceof Invalid.InvalidOption) return error
    throw error
  }
}

export const work = <E, R>(
  backend: OutboxBackend,
  workers: Set<() => void>,
  settings: Settings<E, R>
): Effect.Effect<never, never, R> =>
  Effect.scoped(Effect.gen(function*() {
    const { attempts, batchSize, leaseMillis, poison, topics } = settings
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

    const publish = Effect.fnUntraced(function*(one: Held) {
      const { message } = one
      // A message that ends its workers must not be tried for ever.
      if (message.attempt > attempts) {
        return bury(message, `${nameOf(message)}: no worker that claimed it has lived to say how it ended`)
      }
      if (stopping) return end(message, "released")
      one.running = true
      const exit = yield* Effect.exit(Effect.provideService(settings.publish(message), Tenant.Current, message.tenant))
      one.running = false
      if (Exit.isSuccess(exit)) return end(message, "published")
      const delay = message.attempt >= attempts
        ? Option.none()
        : yield* RetrySchedule.delayAfter(settings.retry, message.attempt, exit.cause)
      const reason = reasonOf(message, exit.cause)
      return Option.isNone(delay) ? bury(message, reason) : end(message, "again", millisOf(delay.value), reason)
    })

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
        one.fiber = yield* Effect.forkScoped(slots.withPermit(Effect.suspend(() => publish(one))))
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
        one.fiber?.interruptUnsafe()
        const known = ended.some(({ sequence }) => sequence === one.message.sequence)
        if (!known) end(one.message, one.running ? "again" : "released", 0, "its worker was stopped")
      }
      const last = ended
      const said = yield* Effect.timeoutOption(leases.persist(backend.settle(last)), farewell)
      if (Option.isSome(said)) settled(last)
    })

    yield* Effect.forkScoped(keep)
    yield* Effect.forkScoped(prune)
    yield* Effect.forkScoped(observe)
    return yield* Effect.onExit(
      loop,
      // On a fiber of its own, because this one is being interrupted.
      () => Effect.flatMap(Effect.forkDetach(stop, { startImmediately: true }), Fiber.await)
    )
  }))

const told = { published: "published", again: "retried", dead: "buried", paused: "buried" } as const

const nameOf = ({ id, key, topic }: Message): string => `message ${id} (${topic}${key === undefined ? "" : ` ${key}`})`

/** Names the message, and fits into a row. */
const reasonOf = (message: Message, cause: Cause.Cause<unknown>): string =>
  `${nameOf(message)}: ${Cause.pretty(cause)}`.replaceAll("\0", "").toWellFormed().slice(0, 4000).toWellFormed()
