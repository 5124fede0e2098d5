/** An event store whose appends keep projections in their own transaction. */
import { Effect, type Scope } from "effect"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import { type Append, type AppendResult, EventStore, type StoredEvent } from "../../EventStore.ts"
import type { Inline, Projection, RunOptions, Version } from "../../Projection.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"
import { Stream } from "effect"
import { asTenant } from "../subscription/subscriptions.ts"
import { type Dependencies, rowsFor } from "./versions.ts"

export interface Building<R> {
  readonly projections: ReadonlyArray<Inline<R>>
  readonly keep: <A, E, R>(
    projection: Projection<A, E, R>,
    mode: Version["mode"],
    options: RunOptions
  ) => Effect.Effect<void, InvalidOption, R>
}

export const inlineStore = <R>(
  { backend, states, store, subscriptionBackend, unit }: Dependencies,
  { keep, projections }: Building<R>
): Effect.Effect<EventStore["Service"], StoreUnavailable | InvalidOption, R | Scope.Scope> =>
  Effect.gen(function*() {
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

    /** Live at once where there is nothing to build from. */
    const begin = (newest: Inline<R>) =>
      unit.run(Effect.gen(function*() {
        yield* backend.lock(newest.name)
        yield* backend.register(newest.name, newest.version, "inline")
        const live = yield* backend.live(newest.name)
        if (live !== undefined) return live.version < newest.version ? "manual" as const : undefined
        if ((yield* subscriptionBackend.highest) > 0n) return "auto" as const
        yield* backend.setStatus(newest.name, newest.version, "live")
        return undefined
      }))
    for (const versions of byName.values()) {
      const newest = versions.reduce((one, other) => other.version > one.version ? other : one)
      const promote = yield* begin(newest)
      if (promote !== undefined) yield* Effect.forkScoped(Effect.orDie(keep(newest, "inline", { promote })))
    }

    const concerned = (appends: ReadonlyArray<Append>): ReadonlyArray<string> =>
      [...byName].filter(([, versions]) =>
        versions.some((projection) => appends.some((append) => isAppendOf(projection, append)))
      ).map(([name]) => name)

    /** The versions to keep; none changes until the transaction ends. */
    const current = Effect.fnUntraced(function*(names: ReadonlyArray<string>) {
      yield* backend.share(names)
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
      { stream }: Append,
      result: AppendResult
    ) {
      if (live.length === 0 || result._tag === "Conflict" || result.replayed) return
      const events = yield* Stream.runCollect(
        store.read(stream, { from: result.firstVersion, limit: result.version - result.firstVersion + 1 })
      )
      for (const event of events) {
        for (const projection of live) {
          if (!isEventOf(projection, event)) continue
          const rows = rowsFor(states, projection.collection, event)
          yield* asTenant(event, projection.handle(event, rows))
          if (projection.react !== undefined) yield* asTenant(event, projection.react(event, rows))
        }
      }
    })

    return EventStore.of({
      ...store,
      append: (append) => {
        const names = concerned([append])
        return names.length === 0 ? store.append(append) : unit.run(Effect.gen(function*() {
          const live = yield* current(names)
          const result = yield* store.append(append)
          yield* Effect.provideContext(project(live, append, result), context)
          return result
        }))
      },
      appendAll: (appends) => {
        const names = concerned(appends)
        return names.length === 0 ? store.appendAll(appends) : unit.run(Effect.gen(function*() {
          const live = yield* current(names)
          const results = yield* store.appendAll(appends)
          for (const [index, result] of results.entries()) {
            const append = appends[index]
            if (append !== undefined) yield* Effect.provideContext(project(live, append, result), context)
          }
          return results
        }))
      }
    })
  })

const isAppendOf = <A, E, R>({ categories, types }: Projection<A, E, R>, { events, stream }: Append): boolean =>
  (categories === undefined || categories.includes(stream.category)) &&
  (types === undefined || events.some(({ type }) => types.includes(type)))

const isEventOf = <A, E, R>({ categories, tenants, types }: Projection<A, E, R>, event: StoredEvent): boolean =>
  (categories === undefined || categories.includes(event.stream.category)) &&
  (tenants === undefined || tenants.includes(event.stream.tenant)) &&
  (types === undefined || types.includes(event.type))
