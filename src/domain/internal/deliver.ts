import { Cause, Context, Effect, Exit, type Schedule, Semaphore } from "effect"
import { wholeNumber } from "../../resilience/InvalidOption.ts"
import {
  type EventHandler,
  EventHandlersFailed,
  EventLoop,
  type Origin,
  type Policy,
  type Told
} from "../EventHandler.ts"
import type { Request } from "../Middleware.ts"
import { attempts } from "./attempts.ts"
import { type Installation, storesOf } from "./handler/handler.ts"
import { around } from "./handler/wrap.ts"
import { ended } from "./report.ts"

/** An event as a value. */
export interface Event {
  readonly _tag: string
}

/** A handler of events in a context. */
export interface Installed {
  readonly type: string
  readonly name: string
  readonly durable: boolean
  /** The services of the layer that installed it; its siblings are added when all are there. */
  context: Context.Context<never>
  readonly run: (event: Event, told: Told, retry: Retry) => Effect.Effect<void | ReadonlyArray<Event>, unknown>
}

/** When a handler runs again, and who is told that it failed. */
export interface Retry {
  /** For handlers that have no schedule of their own; once when absent. */
  readonly schedule: Schedule.Schedule<unknown, unknown> | undefined
  readonly failed: (
    handler: string,
    attempt: number,
    willRetry: boolean,
    cause: Cause.Cause<unknown>
  ) => Effect.Effect<void>
}

export const silent: Retry = { schedule: undefined, failed: () => Effect.void }

const prefix = "effect-lifecycle/domain/EventHandlers/"

/** Each handler has a key of its own, so that layers with handlers of one event add up when they are merged. */
export const keyOf = (type: string, name: string): string => `${prefix}${JSON.stringify([type, name])}`

/** Middleware, the report and the stores around a handler: once for each event, whatever its attempts. */
export const install = (on: Installation, handler: EventHandler<string, unknown>): Installed => {
  handler.check()
  const stores = storesOf(on.services)
  const self: Installed = {
    type: handler.type,
    name: handler.name,
    durable: handler.durable,
    context: on.services,
    run: (event, told, retry) => {
      const request: Request = { name: handler.name, kind: "event", payload: event }
      const once = Effect.suspend(() => handler.handle(event as never, told)) as Effect.Effect<
        void | ReadonlyArray<Event>,
        unknown
      >
      const schedule = handler.retry ?? retry.schedule
      const failed = (attempt: number, willRetry: boolean, cause: Cause.Cause<unknown>) =>
        retry.failed(handler.name, attempt, willRetry, cause)
      const again = schedule === undefined
        ? Effect.tapCause(once, (cause) => failed(1, false, cause))
        : attempts(once, schedule, failed)
      const whole = ended(handler.name, "event", around(on.middleware, request, Effect.provideContext(again, stores)))
      return Effect.updateContext(whole, (caller: Context.Context<never>) => Context.merge(self.context, caller))
    }
  }
  return self
}

/** Counts are whole numbers from 1: a cap of nothing would tell nobody, in silence. */
export const checkPolicy = (module: string, { concurrency, maxDepth, maxEvents }: Policy): void => {
  if (concurrency !== "unbounded") wholeNumber(module, "concurrency", concurrency, 1)
  wholeNumber(module, "maxDepth", maxDepth, 1)
  wholeNumber(module, "maxEvents", maxEvents, 1)
}

/** What one call has told so far; shared with the calls that its handlers make. */
interface Telling {
  readonly chain: ReadonlyArray<string>
  readonly count: { events: number }
}

const Current = Context.Reference<Telling | undefined>("effect-lifecycle/domain/EventHandler/Current", {
  defaultValue: () => undefined
})

/** One event for one handler. */
interface Job {
  readonly handler: Installed
  readonly event: Event
  readonly told: Told
}

/**
 * Tells events to their handlers, and what these answer to theirs. Everything it starts has ended when it ends.
 */
export const deliver = (
  events: ReadonlyArray<{ readonly event: Event; readonly origin: Origin | undefined }>,
  options: {
    readonly policy: Policy
    readonly retry: Retry
    /** Which handlers of the first events; all when absent. Follow-ups go to all. */
    readonly only?: ((handler: Installed) => boolean) | undefined
    /** Whether a first event that nobody handles is a mistake. */
    readonly handled: boolean
  }
): Effect.Effect<void, EventHandlersFailed | EventLoop> =>
  Effect.withFiber((fiber) => {
    const installed = handlersIn(fiber.context)
    const outer = fiber.getRef(Current) ?? { chain: [], count: { events: 0 } }
    const { concurrency, maxDepth, maxEvents, onFailure } = options.policy
    const failures: Array<EventHandlersFailed["failures"][number]> = []

    const jobsOf = (
      event: Event,
      before: ReadonlyArray<string>,
      first: { readonly origin: Origin | undefined } | undefined
    ): Effect.Effect<ReadonlyArray<Job>, EventLoop> => {
      const chain = [...before, event._tag]
      if (chain.length > maxDepth) return new EventLoop({ cap: "maxDepth", limit: maxDepth, chain })
      if (++outer.count.events > maxEvents) return new EventLoop({ cap: "maxEvents", limit: maxEvents, chain })
      const handlers = (installed.get(event._tag) ?? []).filter((handler) =>
        first === undefined || options.only === undefined || options.only(handler)
      )
      if (handlers.length === 0 && (first === undefined || options.handled)) {
        return Effect.die(
          new Error(`No handler for the event "${event._tag}". Provide the layer of Domain.toLayer that has it`)
        )
      }
      const told: Told = { origin: first?.origin, chain, failed: undefined }
      return Effect.succeed(handlers.map((handler) => ({ handler, event, told })))
    }

    /** Runs one handler; what it answers are the next jobs. */
    const run = ({ event, handler, told }: Job): Effect.Effect<ReadonlyArray<Job>, EventLoop | typeof stop> =>
      handler.run(event, told, options.retry).pipe(
        Effect.provideService(Current, { chain: told.chain, count: outer.count }),
        Effect.exit,
        Effect.flatMap((exit): Effect.Effect<ReadonlyArray<Job>, EventLoop | typeof stop> => {
          if (Exit.isSuccess(exit)) {
            return Effect.map(
              Effect.forEach(exit.value ?? [], (next) => jobsOf(next, told.chain, undefined)),
              (jobs) => jobs.flat()
            )
          }
          failures.push({ handler: handler.name, chain: told.chain, cause: exit.cause })
          return onFailure === "collect" ? Effect.succeed([]) : Effect.fail(stop)
        })
      )

    const told = Effect.flatMap(
      Effect.forEach(events, ({ event, origin }) => jobsOf(event, outer.chain, { origin })),
      (jobs) => concurrency === 1 ? oneByOne(jobs.flat(), run) : besideEachOther(jobs.flat(), run, concurrency)
    )

    return Effect.flatMap(
      Effect.exit(told),
      (exit) => {
        const failed = isNonEmpty(failures) ? Cause.fail(new EventHandlersFailed({ failures })) : undefined
        const own = Exit.isFailure(exit) ? withoutStop(exit.cause) : undefined
        if (failed === undefined && own === undefined) return Effect.void
        return Effect.failCause(
          failed === undefined || own === undefined
            ? failed ?? own ?? Cause.empty
            : Cause.fromReasons<EventLoop | EventHandlersFailed>([...own.reasons, ...failed.reasons])
        )
      }
    )
  })

/** Under `failFast`: a handler has failed, and its failure is in the list. */
const stop = Symbol("effect-lifecycle/domain/stop")

/** What ended the telling by itself: a loop, or a bug. */
const withoutStop = (cause: Cause.Cause<EventLoop | typeof stop>): Cause.Cause<EventLoop> | undefined => {
  const reasons = cause.reasons.filter((reason): reason is Cause.Reason<EventLoop> =>
    !(Cause.isFailReason(reason) && reason.error === stop)
  )
  return reasons.length === 0 ? undefined : Cause.fromReasons(reasons)
}

/** In the order of a queue: all handlers of an event before its follow-ups. */
const oneByOne = <E>(
  jobs: ReadonlyArray<Job>,
  run: (job: Job) => Effect.Effect<ReadonlyArray<Job>, E>
): Effect.Effect<void, E> =>
  Effect.gen(function*() {
    const queue = [...jobs]
    for (const job of queue) queue.push(...yield* run(job))
  })

/** Follow-ups begin as soon as a permit is free; a handler holds its permit while it runs, and no longer. */
const besideEachOther = <E>(
  jobs: ReadonlyArray<Job>,
  run: (job: Job) => Effect.Effect<ReadonlyArray<Job>, E>,
  concurrency: number | "unbounded"
): Effect.Effect<void, E> => {
  const permits = concurrency === "unbounded" ? undefined : Semaphore.makeUnsafe(concurrency)
  const all = (jobs: ReadonlyArray<Job>): Effect.Effect<void, E> =>
    Effect.forEach(jobs, (job) => {
      const self = Effect.suspend(() => run(job))
      return Effect.flatMap(permits === undefined ? self : permits.withPermit(self), all)
    }, { concurrency: "unbounded", discard: true })
  return all(jobs)
}

const isNonEmpty = <A>(items: ReadonlyArray<A>): items is readonly [A, ...Array<A>] => items.length > 0

const handlersIn = (context: Context.Context<never>): Map<string, Array<Installed>> => {
  const byType = new Map<string, Array<Installed>>()
  for (const [key, value] of context.mapUnsafe) {
    if (!key.startsWith(prefix)) continue
    const handler = value as Installed
    const others = byType.get(handler.type)
    if (others === undefined) byType.set(handler.type, [handler])
    else others.push(handler)
  }
  return byType
}
