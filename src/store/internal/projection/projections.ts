/** `Projections` over any backend. */
import { type Cause, Clock, Effect, Option } from "effect"
import type { InvalidOption } from "../../../resilience/InvalidOption.ts"
import {
  type Projection,
  ProjectionNotLive,
  Projections,
  PromotionFailed,
  type RunOptions,
  type Version
} from "../../Projection.ts"
import type { StoredEvent } from "../../EventStore.ts"
import type { Collection } from "../../StateStore.ts"
import { SubscriptionPaused } from "../../Subscription.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"
import { inlineStore } from "./inlineProjections.ts"
import { reasonOf } from "../reasons.ts"
import { nameOf, persist, storeFailure } from "../subscription/partition.ts"
import { promoter } from "./promotion.ts"
import { Turns } from "./Turns.ts"
import { Undone } from "../Undone.ts"
import { asTenant, usualRetry } from "../subscription/subscriptions.ts"
import { collectionOf, type Dependencies, rowsFor, subscriptionOf } from "./versions.ts"

/** How long a version that cannot become live waits, until it is tried again; twice as long each time, up to the most. */
const stuckMillis = { first: 1000, most: 60_000 }

/** How often a version looks whether it has caught up, and whether another one is live. */
const lookMillis = { building: 50, live: 1000 }

export const make = (dependencies: Dependencies): Projections["Service"] => {
  const { backend, states, subscriptionBackend, subscriptions, unit } = dependencies
  const promote = promoter(dependencies)
  const turns = new Turns()

  const register = <A, E, R>({ name, version }: Projection<A, E, R>, mode: Version["mode"]) =>
    unit.run(Effect.gen(function*() {
      yield* backend.lock([name])
      yield* backend.register(name, version, mode)
    }))

  /** Whether the version, or one that replaces it, is live. */
  const outcome = <A, E, R>({ name, version }: Projection<A, E, R>) =>
    Effect.map(backend.live(name), (live) =>
      live === undefined || live.version < version
        ? undefined
        : live.version === version
        ? "live" as const
        : "superseded" as const)

  /** Tries to make the version live, by the projection's schedule; an unavailable store is no failure of it. */
  const tryPromote = <A, E, R>(projection: Projection<A, E, R>, { retry = usualRetry }: RunOptions) => {
    const { name, version } = projection
    let last: StoredEvent | undefined
    const attempt = Effect.suspend(() => {
      last = undefined
      return promote(projection, (event) => {
        last = event
      })
    })
    const isOutage = (cause: Cause.Cause<unknown>) => storeFailure(subscriptionBackend, cause) !== undefined
    return Effect.sandbox(attempt).pipe(
      Effect.retry({ schedule: retry, while: (cause) => !isOutage(cause) }),
      Effect.catch((cause) => {
        if (isOutage(cause)) return Effect.void
        const reason = last === undefined ? reasonOf(name, cause) : reasonOf(nameOf(last), cause)
        return Effect.fail(new PromotionFailed({ projection: name, version, position: last?.position, reason }))
      }),
      Effect.asVoid
    )
  }

  const takeTurn = <A, E, R>({ collection, name }: Projection<A, E, R>) =>
    Effect.flatMap(
      Clock.currentTimeMillis,
      (now) => backend.turn(collection.name, turns.isTaken(name, now) ? "alone" : "together")
    )
  const noteUndone = <A, E, R>({ name }: Projection<A, E, R>, cause: Cause.Cause<unknown>) =>
    storeFailure(subscriptionBackend, cause) instanceof Undone
      ? Effect.map(Clock.currentTimeMillis, (now) => turns.note(name, now))
      : Effect.void

  /** Keeps the version until it is not needed any more; `stuck` says what follows when it cannot become live. */
  const keep = <A, E, R, E2>(
    projection: Projection<A, E, R>,
    mode: Version["mode"],
    options: RunOptions,
    stuck: (failed: PromotionFailed, times: number) => Effect.Effect<void, E2>
  ): Effect.Effect<void, InvalidOption | E2, R> => {
    const { name, version } = projection
    const { promote: when, ...rest } = options
    const following = subscriptions.runBatches({
      ...rest,
      name: subscriptionOf(name, version),
      categories: projection.categories,
      tenants: projection.tenants,
      types: projection.types,
      handle: (events, partitions) =>
        Effect.gen(function*() {
          // Read in the transaction: a change of status refuses every commit that began before it.
          const found = yield* backend.find(name, version)
          if (found?.mode === "inline" && found.status !== "building") return
          const reacts = found?.status === "live" ? projection.react : undefined
          const writers = partitions === 1 ? "one" : "many"
          if (writers === "many") yield* takeTurn(projection)
          for (const event of events) {
            const rows = rowsFor(dependencies, projection.collection, event, writers)
            yield* asTenant(event, projection.handle(event, rows))
            if (reacts !== undefined) yield* asTenant(event, reacts(event, rows))
          }
        }).pipe(Effect.tapCause((cause) => noteUndone(projection, cause)))
    })
    const watching = Effect.gen(function*() {
      let failures = 0
      while (true) {
        const now = yield* persist(outcome(projection))
        if (now === "superseded" || (now === "live" && mode === "inline")) return
        if (now === undefined && when !== "manual") {
          yield* Effect.catch(tryPromote(projection, options), (failed) => stuck(failed, failures++))
        }
        yield* Effect.sleep(now === "live" ? lookMillis.live : lookMillis.building)
      }
    })
    return Effect.raceFirst(following, watching)
  }

  const run = <A, E, R, E2>(
    projection: Projection<A, E, R>,
    options: RunOptions,
    stuck: (failed: PromotionFailed, times: number) => Effect.Effect<void, E2>
  ): Effect.Effect<never, InvalidOption | E2, R> =>
    Effect.gen(function*() {
      yield* persist(register(projection, "async"))
      yield* keep(projection, "async", options, stuck)
      return yield* Effect.never
    })

  const awaitLive = <A, E, R>(
    projection: Projection<A, E, R>
  ): Effect.Effect<"live" | "superseded", StoreUnavailable> =>
    Effect.flatMap(outcome(projection), (found) =>
      found === undefined
        ? Effect.andThen(Effect.sleep(lookMillis.building), awaitLive(projection))
        : Effect.succeed(found))

  const pausedIn = (name: string): Effect.Effect<never, SubscriptionPaused | StoreUnavailable> =>
    Effect.flatMap(subscriptions.service.status(name), (status) =>
      status?.paused === undefined
        ? Effect.andThen(Effect.sleep(lookMillis.building), pausedIn(name))
        : Effect.fail(new SubscriptionPaused({ subscription: name, ...status.paused })))

  const liveOf = <A, E, R>(
    projection: Projection<A, E, R>
  ): Effect.Effect<Collection<A>, ProjectionNotLive | StoreUnavailable> =>
    Effect.flatMap(backend.live(projection.name), (live) =>
      live === undefined
        ? Effect.fail(new ProjectionNotLive({ projection: projection.name }))
        : Effect.succeed(collectionOf(projection, live.version)))

  return Projections.of({
    run: (projection, options = {}) => run(projection, options, tryLater),
    rebuild: <A, E, R>(projection: Projection<A, E, R>, options: Omit<RunOptions, "promote"> = {}) =>
      Effect.gen(function*() {
        const before = yield* outcome(projection)
        if (before !== undefined) return before
        return yield* Effect.raceAllFirst([
          run(projection, options, Effect.fail),
          awaitLive(projection),
          pausedIn(subscriptionOf(projection.name, projection.version))
        ])
      }),
    promote: (projection) => promote(projection),
    awaitLive: (projection) => Effect.asVoid(awaitLive(projection)),
    awaitPosition: (projection, position) =>
      Effect.gen(function*() {
        while (true) {
          const live = yield* backend.live(projection.name)
          if (live === undefined) return yield* new ProjectionNotLive({ projection: projection.name })
          if (live.mode === "inline") return
          const subscription = subscriptionOf(live.name, live.version)
          const reached = yield* Effect.timeoutOption(
            subscriptions.service.awaitPosition(subscription, position),
            lookMillis.live
          )
          if (Option.isSome(reached)) return
        }
      }),
    get: (projection, id) => Effect.flatMap(liveOf(projection), (of) => states.get(of, id)),
    query: (projection, options) => Effect.flatMap(liveOf(projection), (of) => states.query(of, options)),
    versions: (name) =>
      Effect.map(backend.list([name]), (rows) =>
        rows.map(({ mode, status, version }) => ({
          version,
          mode,
          status,
          subscription: subscriptionOf(name, version)
        }))),
    drop: (name, version) =>
      unit.run(Effect.gen(function*() {
        yield* backend.lock([name])
        const found = yield* backend.find(name, version)
        if (found === undefined) return "absent" as const
        if (found.status === "live") return "live" as const
        if ((yield* subscriptions.service.remove(subscriptionOf(name, version))) === "running") {
          return "running" as const
        }
        yield* backend.remove(name, version, `${name}@${version}`)
        return "dropped" as const
      })),
    inline: (projections, options = {}) =>
      inlineStore(dependencies, {
        projections,
        turns,
        firstPromote: options.promote ?? "auto",
        build: (projection, promote) => keep(projection, "inline", { promote }, tryLater)
      })
  })
}

/** For whoever keeps the version: it goes on beside the live one, and somebody must hear why that is so. */
const tryLater = (failed: PromotionFailed, times: number): Effect.Effect<void> =>
  Effect.andThen(
    Effect.logWarning(failed.message),
    Effect.sleep(Math.min(stuckMillis.most, stuckMillis.first * 2 ** times))
  )
