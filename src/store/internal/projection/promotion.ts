/** The change from the live version of a projection to the next, in one transaction. */
import { Effect, Stream } from "effect"
import type { StoredEvent } from "../../EventStore.ts"
import type { Projection } from "../../Projection.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"
import { type Division, lowest } from "../subscription/division.ts"
import { asTenant } from "../subscription/subscriptions.ts"
import { type Dependencies, rowsFor, subscriptionOf } from "./versions.ts"

/** So much an inline version may have to handle while its writers wait. */
const remainder = 1000n

/** Undoes the transaction. */
class Behind {
  readonly _tag = "Behind"
}
const behind = Effect.fail(new Behind())

export type Promote = <A, E, R>(
  projection: Projection<A, E, R>,
  /** Is told each event before it is handled or reacted to. */
  next?: (event: StoredEvent) => void
) => Effect.Effect<"live" | "behind" | "superseded", E | StoreUnavailable, R>

/**
 * Every owner of the two versions loses its partitions, so that no commit of theirs, begun under the old statuses, can
 * follow. What the old version has not come to by then, the new one reacts to here: its handler has seen it already, or
 * will not see it again.
 */
export const promoter = (dependencies: Dependencies): Promote => {
  const { backend, store, subscriptionBackend, unit } = dependencies

  const revoked = Effect.fnUntraced(function*(name: string) {
    const before = yield* subscriptionBackend.lock(name)
    if (before === undefined) return undefined
    yield* Effect.forEach(before.partitions, ({ index }) => subscriptionBackend.assign(name, index, undefined), {
      discard: true
    })
    return yield* subscriptionBackend.lock(name)
  })

  /** What a division has not come to, up to a position, in order. */
  const left = Effect.fnUntraced(function*<A, E, R>(
    { categories, tenants = undefined, types }: Projection<A, E, R>,
    division: Division,
    upTo: bigint
  ) {
    const of = division.partitions.length
    const events: Array<StoredEvent> = []
    for (const { index, position } of division.partitions) {
      const share = of === 1 ? undefined : { of, index }
      const page = store.readAll({ after: position, upTo, types, categories, tenants: tenants ?? "all", share })
      events.push(...(yield* Stream.runCollect(page)))
    }
    return events.toSorted((one, other) => one.position < other.position ? -1 : 1)
  })

  const change = <A, E, R>(projection: Projection<A, E, R>, next: (event: StoredEvent) => void) =>
    Effect.gen(function*() {
      const { handle, name, react, version } = projection
      yield* backend.lock([name])
      const live = yield* backend.live(name)
      if (live !== undefined && live.version > version) return "superseded" as const
      if (live?.version === version) return "live" as const
      const own = yield* backend.find(name, version)
      const looked = yield* subscriptionBackend.find(subscriptionOf(name, version))
      if (own === undefined || looked === undefined) return yield* behind
      const followed = live?.mode === "async" ? subscriptionOf(name, live.version) : undefined
      const goal = (old: Division | undefined) =>
        old !== undefined && own.mode === "async" ? Effect.succeed(highestOf(old)) : subscriptionBackend.highest
      const isBehind = (division: Division, goal: bigint) =>
        lowest(positionsOf(division)) < (own.mode === "inline" ? goal - remainder : goal)
      // A look that disturbs nobody comes first.
      const expected = yield* goal(followed === undefined ? undefined : yield* subscriptionBackend.find(followed))
      if (isBehind(looked, expected)) return yield* behind

      const ready = yield* revoked(subscriptionOf(name, version))
      const old = followed === undefined ? undefined : yield* revoked(followed)
      const target = yield* goal(old)
      if (ready === undefined || isBehind(ready, target)) return yield* behind
      const made = (f: Projection<A, E, R>["handle"], event: StoredEvent) => {
        next(event)
        return asTenant(event, f(event, rowsFor(dependencies, projection.collection, event, "many")))
      }
      const reached = highestOf(ready) > target ? highestOf(ready) : target
      const unhandled = yield* left(projection, ready, reached)
      if (own.mode === "inline") {
        for (const event of unhandled) yield* made(handle, event)
      }
      if (react !== undefined && old !== undefined) {
        const later = new Set(own.mode === "inline" ? [] : unhandled.map(({ position }) => position))
        for (const event of yield* left(projection, old, reached)) {
          if (!later.has(event.position)) yield* made(react, event)
        }
      }
      if (live !== undefined) yield* backend.setStatus(name, live.version, "retired")
      yield* backend.setStatus(name, version, "live")
      return "live" as const
    })

  return (projection, next = () => {}) =>
    Effect.catchIf(
      unit.run(change(projection, next)),
      (error) => error instanceof Behind,
      () => Effect.succeed("behind" as const)
    )
}

const positionsOf = ({ partitions }: Division): ReadonlyArray<bigint> => partitions.map(({ position }) => position)

const highestOf = (division: Division): bigint =>
  positionsOf(division).reduce((highest, position) => position > highest ? position : highest, 0n)
