/** `Projections` over any backend. */
import { Effect, Option } from "effect"
import type { InvalidOption } from "../../../resilience/InvalidOption.ts"
import { type Projection, ProjectionNotLive, Projections, type RunOptions, type Version } from "../../Projection.ts"
import type { Collection } from "../../StateStore.ts"
import { SubscriptionPaused } from "../../Subscription.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"
import { inlineStore } from "./inlineProjections.ts"
import { persist } from "../subscription/partition.ts"
import { promoter } from "./promotion.ts"
import { asTenant } from "../subscription/subscriptions.ts"
import { collectionOf, type Dependencies, rowsFor, subscriptionOf } from "./versions.ts"

/** How often a version looks whether it has caught up, and whether another one is live. */
const lookMillis = { building: 50, live: 1000 }

export const make = (dependencies: Dependencies): Projections["Service"] => {
  const { backend, states, subscriptions, unit } = dependencies
  const promote = promoter(dependencies)

  const register = <A, E, R>({ name, version }: Projection<A, E, R>, mode: Version["mode"]) =>
    unit.run(Effect.gen(function*() {
      yield* backend.lock(name)
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

  /** Keeps the version until it is not needed any more. */
  const keep = <A, E, R>(projection: Projection<A, E, R>, mode: Version["mode"], options: RunOptions) => {
    const { name, version } = projection
    const { promote: when, ...rest } = options
    const following = subscriptions.runBatches({
      ...rest,
      name: subscriptionOf(name, version),
      categories: projection.categories,
      tenants: projection.tenants,
      types: projection.types,
      handle: (events) =>
        Effect.gen(function*() {
          // Read in the transaction: a change of status refuses every commit that began before it.
          const found = yield* backend.find(name, version)
          if (found?.mode === "inline" && found.status !== "building") return
          const reacts = found?.status === "live" ? projection.react : undefined
          for (const event of events) {
            const rows = rowsFor(states, projection.collection, event)
            yield* asTenant(event, projection.handle(event, rows))
            if (reacts !== undefined) yield* asTenant(event, reacts(event, rows))
          }
        })
    })
    const watching = Effect.gen(function*() {
      while (true) {
        const now = yield* persist(outcome(projection))
        if (now === "superseded" || (now === "live" && mode === "inline")) return
        if (now === undefined && when !== "manual") yield* Effect.ignoreCause(promote(projection), { log: "Debug" })
        yield* Effect.sleep(now === "live" ? lookMillis.live : lookMillis.building)
      }
    })
    return Effect.raceFirst(following, watching)
  }

  const run = <A, E, R>(
    projection: Projection<A, E, R>,
    options: RunOptions = {}
  ): Effect.Effect<never, InvalidOption, R> =>
    Effect.gen(function*() {
      yield* persist(register(projection, "async"))
      yield* keep(projection, "async", options)
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
    run,
    rebuild: <A, E, R>(projection: Projection<A, E, R>, options: Omit<RunOptions, "promote"> = {}) =>
      Effect.gen(function*() {
        const before = yield* outcome(projection)
        if (before !== undefined) return before
        return yield* Effect.raceAllFirst([
          run(projection, options),
          awaitLive(projection),
          pausedIn(subscriptionOf(projection.name, projection.version))
        ])
      }),
    promote,
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
        yield* backend.lock(name)
        const found = yield* backend.find(name, version)
        if (found === undefined) return "absent" as const
        if (found.status === "live") return "live" as const
        if ((yield* subscriptions.service.remove(subscriptionOf(name, version))) === "running") {
          return "running" as const
        }
        yield* backend.remove(name, version, `${name}@${version}`)
        return "dropped" as const
      })),
    inline: (projections) => inlineStore(dependencies, { projections, keep })
  })
}
