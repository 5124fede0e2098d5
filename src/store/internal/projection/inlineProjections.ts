/** An event store, and a boundary, whose appends keep projections in their own transaction. */
import { Clock, Context, Effect, Schedule, type Scope, Stream } from "effect"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import * as Boundary from "../../DynamicConsistencyBoundary.ts"
import { type Append, type AppendResult, EventStore, type StoredEvent } from "../../EventStore.ts"
import type { Inline, InlineOptions, Projection } from "../../Projection.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"
import { streamOf } from "../boundary.ts"
import { asTenant } from "../subscription/subscriptions.ts"
import { Undone } from "../Undone.ts"
import type { Turns } from "./Turns.ts"
import { type Dependencies, rowsFor } from "./versions.ts"

export interface Building<R> {
  readonly projections: ReadonlyArray<Inline<R>>
  readonly turns: Turns
  /** How the first version of a projection becomes live. */
  readonly firstPromote: NonNullable<InlineOptions["promote"]>
  /** Builds a version until it is live or not needed any more. */
  readonly build: <A, E, R>(
    projection: Projection<A, E, R>,
    promote: "auto" | "manual"
  ) => Effect.Effect<void, InvalidOption, R>
}

/** How often an append is done again that was undone because of other writers of its rows. */
const again = Schedule.exponential("5 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 5 }))

/** An append as both services know it. */
interface Concern {
  readonly stream: Append["stream"]
  readonly events: ReadonlyArray<{ readonly type: string }>
}

export const inlineStore = <R>(
  dependencies: Dependencies,
  { build, firstPromote, projections, turns }: Building<R>
): Effect.Effect<
  Context.Context<EventStore | Boundary.DynamicConsistencyBoundary>,
  StoreUnavailable | InvalidOption,
  R | Scope.Scope
> =>
  Effect.gen(function*() {
    const { backend, boundary, store, subscriptionBackend, unit } = dependencies
    const context = yield* Effect.context<R>()
    const byName = new Map<string, Array<Inline<R>>>()
    for (const projection of projections) {
      const versions = byName.get(projection.name) ?? []
      if (versions.some(({ version }) => version === projection.version)) {
        return yield* new InvalidOption({
          module: "Projections.inline",
          option: "projections",
          value: `"${projection.name}" in version ${projection.version} twice`,
          allowed: "each version of a projection once"
        })
      }
      byName.set(projection.name, [...versions, projection])
    }

    /** Live at once where there is nothing to build from, and nobody to wait for. */
    const begin = (newest: Inline<R>) =>
      unit.run(Effect.gen(function*() {
        yield* backend.lock([newest.name])
        yield* backend.register(newest.name, newest.version, "inline")
        const live = yield* backend.live(newest.name)
        if (live !== undefined) return live.version < newest.version ? "manual" as const : undefined
        if (firstPromote === "manual" || (yield* subscriptionBackend.highest) > 0n) return firstPromote
        yield* backend.setStatus(newest.name, newest.version, "live")
        return undefined
      }))
    for (const versions of byName.values()) {
      const newest = versions.reduce((one, other) => other.version > one.version ? other : one)
      backend.keeps(newest.name)
      const promote = yield* begin(newest)
      if (promote !== undefined) yield* Effect.forkScoped(Effect.orDie(build(newest, promote)))
    }

    const concerned = (appends: ReadonlyArray<Concern>): ReadonlyArray<string> =>
      [...byName].filter(([, versions]) =>
        versions.some((projection) => appends.some((append) => isAppendOf(projection, append)))
      ).map(([name]) => name)

    /** The versions to keep; none changes until the transaction ends. */
    const current = Effect.fnUntraced(function*(names: ReadonlyArray<string>, alone: boolean) {
      yield* alone ? backend.lock(names) : backend.share(names)
      const found: Array<Inline<R>> = []
      for (const { mode, name, status, version } of yield* backend.list(names)) {
        if (status !== "live" || mode !== "inline") continue
        const projection = byName.get(name)?.find((one) => one.version === version)
        if (projection === undefined) {
          return yield* Effect.die(
            new Error(
              `The inline projection "${name}" is live in version ${version}, which this process does not have: it must not append what it cannot project. Give Projection.layerInline that version`
            )
          )
        }
        found.push(projection)
      }
      return found
    })

    const project = Effect.fnUntraced(function*(
      live: ReadonlyArray<Inline<R>>,
      { stream }: Concern,
      result: AppendResult | Boundary.AppendResult
    ) {
      if (live.length === 0 || result._tag !== "Appended" || result.replayed) return
      const events = yield* Stream.runCollect(
        store.read(stream, { from: result.firstVersion, limit: result.version - result.firstVersion + 1 })
      )
      for (const event of events) {
        for (const projection of live) {
          if (!isEventOf(projection, event)) continue
          const rows = rowsFor(dependencies, projection.collection, event, "many")
          yield* asTenant(event, projection.handle(event, rows))
          if (projection.react !== undefined) yield* asTenant(event, projection.react(event, rows))
        }
      }
    })

    /** Appends, and projects what was appended, in one transaction. Inside one of the caller a deadlock is its turn. */
    const projected = <A extends AppendResult | Boundary.AppendResult, E>(
      appends: ReadonlyArray<Concern>,
      appended: Effect.Effect<ReadonlyArray<A>, E>
    ): Effect.Effect<ReadonlyArray<A>, E | StoreUnavailable> => {
      const names = concerned(appends)
      if (names.length === 0) return appended
      const once = (alone: boolean) =>
        unit.run(Effect.gen(function*() {
          const live = yield* current(names, alone)
          const results = yield* appended
          for (const [index, result] of results.entries()) {
            const append = appends[index]
            if (append !== undefined) yield* Effect.provideContext(project(live, append, result), context)
          }
          return results
        }))
      const own = Effect.flatMap(Clock.currentTimeMillis, (now) => once(names.some((name) => turns.isTaken(name, now))))
      const note = Effect.map(Clock.currentTimeMillis, (now) => {
        for (const name of names) turns.note(name, now)
        return true
      })
      return Effect.flatMap(unit.isOpen, (open) =>
        // Who shares the projection already must not ask for it alone: two that did so would wait for each other.
        open
          ? once(false)
          : Effect.retry(own, { schedule: again, while: (error) => error instanceof Undone ? note : false }))
    }
    const projectedOne = <A extends AppendResult | Boundary.AppendResult, E>(
      append: Concern,
      appended: Effect.Effect<A, E>
    ): Effect.Effect<A, E | StoreUnavailable> =>
      concerned([append]).length === 0 ? appended : Effect.flatMap(
        projected([append], Effect.map(appended, (result) => [result])),
        ([result]) => result === undefined ? Effect.die(new Error("an append has no result")) : Effect.succeed(result)
      )

    return Context.make(EventStore, {
      ...store,
      append: (append) => projectedOne(append, store.append(append)),
      appendAll: (appends) => projected(appends, store.appendAll(appends))
    }).pipe(Context.add(Boundary.DynamicConsistencyBoundary, {
      ...boundary,
      append: (append) =>
        Effect.withFiber((fiber) => {
          const named = { ...append, stream: streamOf(append, fiber) }
          return projectedOne(named, boundary.append(named))
        })
    }))
  })

const isAppendOf = <A, E, R>({ categories, types }: Projection<A, E, R>, { events, stream }: Concern): boolean =>
  (categories === undefined || categories.includes(stream.category)) &&
  (types === undefined || events.some(({ type }) => types.includes(type)))

const isEventOf = <A, E, R>({ categories, tenants, types }: Projection<A, E, R>, event: StoredEvent): boolean =>
  (categories === undefined || categories.includes(event.stream.category)) &&
  (tenants === undefined || tenants.includes(event.stream.tenant)) &&
  (types === undefined || types.includes(event.type))
