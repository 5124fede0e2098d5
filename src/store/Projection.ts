/**
 * Read models made from events, and rebuilt while they are read.
 *
 * A projection is one definition: a name, a version, the events it wants and a handler that keeps rows. `run` keeps them
 * behind the events by a subscription; {@link layerInline} keeps them in the transaction of every append, so that they are
 * never behind. Rows are kept per tenant, in a collection of the `StateStore` that belongs to the version, and carry the
 * position of the event that wrote them last.
 *
 * To change what a projection makes, raise its `version`. The new version is built beside the live one, from the first
 * event on; readers keep reading the live one. When it has caught up, one transaction makes it live and retires the old
 * one. `drop` removes what a retired version has left.
 *
 * `react` is for side effects: it runs after `handle`, in the same transaction, only for events that come to a live
 * version. A rebuild repeats none of them and loses none: at the change of versions the new one reacts to what the old one
 * had not come to.
 *
 * **Gotchas**
 *
 * - Readers decode the rows of the live version, whichever their own is. Rows of two neighbouring versions must fit the
 *   schema of both; for anything else take a new name.
 * - What `handle` does besides its rows happens again in every rebuild.
 * - A version lower than the live one never becomes live. To go back, deploy the old code under a new version.
 * - The first version is built from the events that are there, without `react`; until then reads fail with
 *   `ProjectionNotLive`.
 * - A row belongs to the transaction that touches it by `get`, `put`, `remove` or `modify`, until that ends; other writers
 *   of the row wait, its readers do not. `rows.query` takes nothing: decide by `get`. A row that all events share puts its
 *   writers in a line, inline all appends of all processes; rows by stream keep nobody waiting. `timeout` counts waiting too.
 * - Handlers that touch several rows in different orders can wait for each other. PostgreSQL undoes one of the two after a
 *   second; it is done again, no event is blamed, and for some seconds the writers of the projection take turns. Take rows
 *   in one order, or use one partition. In a transaction of its caller an inline append fails with `StoreUnavailable`.
 * - Inline: every process that appends needs the layer before the projection is live. One without it appends past the rows:
 *   nothing stops it, and with PostgreSQL it logs a warning. One that has the layer without the live version dies at the
 *   append. So deploy the first version with `promote: "manual"`, and each later one beside the live one; once that is
 *   everywhere, `promote` it. Rows that were missed are in the next version, which is built from all events.
 * - Inline: a failing handler fails the append, and appends that concern an inline projection are not coalesced. Appends
 *   are those of `EventStore` and of `DynamicConsistencyBoundary`, as the layer provides both; what `lifecycle store import`
 *   brings has its rows with it.
 * - A version whose `react` fails at the change of versions does not become live: `rebuild` fails with
 *   {@link PromotionFailed} after `retry`; `run` logs a warning and tries again, later each time, up to a minute.
 * - An aggregate's own `projection` keeps the state that a command has just computed and needs no read; take that where one
 *   row is one aggregate, and this for everything else.
 *
 * @example
 * ```ts
 * import { Effect, Option, Schema } from "effect"
 * import { EventStore, MemoryStore, Projection } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const Totals = Projection.make({
 *   name: "totals",
 *   version: 1,
 *   schema: Schema.Struct({ orders: Schema.Int, total: Schema.Int }),
 *   types: ["OrderPlaced"],
 *   handle: (event, rows) => {
 *     const { total, userId } = event.data as { readonly userId: string; readonly total: number }
 *     return rows.modify(userId, (row) => ({ orders: (row?.orders ?? 0) + 1, total: (row?.total ?? 0) + total }))
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore.EventStore
 *   const projections = yield* Projection.Projections
 *   const place = (id: string, total: number) =>
 *     store.append({
 *       stream: { category: "Order", id },
 *       expect: "noStream",
 *       events: [{ type: "OrderPlaced", data: { userId: "u-1", total } }]
 *     })
 *   yield* place("o-1", 5)
 *   yield* Effect.forkChild(projections.run(Totals))
 *   yield* projections.awaitLive(Totals)
 *   const placed = yield* place("o-2", 7)
 *   if (placed._tag === "Appended") yield* projections.awaitPosition(Totals, placed.position)
 *   return yield* projections.get(Totals, "u-1")
 * })
 * const row = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual(Option.getOrThrow(row).state, { orders: 2, total: 12 })
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, type Option, Schema, type Scope } from "effect"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type { DynamicConsistencyBoundary } from "./DynamicConsistencyBoundary.ts"
import type { EventStore, StoredEvent } from "./EventStore.ts"
import { loud } from "./internal/background.ts"
import { checked } from "./internal/subscription/settings.ts"
import {
  type Collection,
  collection,
  type InvalidQuery,
  type Page,
  type QueryOptions,
  type Row
} from "./StateStore.ts"
import type { Filter, Options, SubscriptionPaused } from "./Subscription.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * No version of the projection has been built yet.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProjectionNotLive extends Schema.TaggedError<ProjectionNotLive>()("ProjectionNotLive", {
  projection: Schema.String
}) {
  override get message(): string {
    return `No version of the projection "${this.projection}" is live. Run it, and wait for it with awaitLive`
  }
}

/**
 * A version has come as far as the live one and still cannot become live, because its `react`, or an inline `handle`, failed
 * at the change. Nothing was changed: the version before is live.
 *
 * @category errors
 * @since 0.1.0
 */
export class PromotionFailed extends Schema.TaggedError<PromotionFailed>()("PromotionFailed", {
  projection: Schema.String,
  version: Schema.Int,
  /** The event that it failed at, if it was one. */
  position: Schema.UndefinedOr(Schema.BigInt),
  reason: Schema.String
}) {
  override get message(): string {
    const event = this.position === undefined ? "" : ` at the event at position ${this.position}`
    return `Version ${this.version} of the projection "${this.projection}" is built and cannot become live${event}: ${this.reason}`
  }
}

/**
 * The rows of one version, as a handler changes them: in its transaction, as the event's tenant. A row that was touched by
 * its id is the transaction's until that ends.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rows<A> {
  readonly get: (id: string) => Effect.Effect<Option.Option<Row<A>>, StoreUnavailable>
  readonly put: (id: string, state: A) => Effect.Effect<void, StoreUnavailable>
  readonly remove: (id: string) => Effect.Effect<void, StoreUnavailable>
  /** Reads a row and writes what becomes of it, with nobody between; `undefined` removes it. */
  readonly modify: (
    id: string,
    f: (state: A | undefined) => A | undefined
  ) => Effect.Effect<void, StoreUnavailable>
  /** Takes no row: others may be changing what it finds. */
  readonly query: (options?: QueryOptions) => Effect.Effect<Page<A>, StoreUnavailable | InvalidQuery>
}

/**
 * A projection in one version.
 *
 * @category models
 * @since 0.1.0
 */
export interface Projection<in out A, out E, out R> extends Filter {
  readonly name: string
  readonly version: number
  /** What this version keeps its rows in. */
  readonly collection: Collection<A>
  readonly handle: (event: StoredEvent, rows: Rows<A>) => Effect.Effect<void, E, R>
  readonly react: ((event: StoredEvent, rows: Rows<A>) => Effect.Effect<void, E, R>) | undefined
}

/**
 * Defines a projection.
 *
 * Throws `InvalidOption` when the name or the version cannot be used.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, Encoded, E = never, R = never, E2 = never, R2 = never>(
  options: Filter & {
    /** 1 to 200 characters without `@`. */
    readonly name: string
    /** A whole number from 1 on; higher when what it makes has changed. */
    readonly version: number
    readonly schema: Schema.Codec<A, Encoded>
    /** Top-level fields of the encoded row that may be filtered and sorted by. */
    readonly indexes?: ReadonlyArray<keyof Encoded & string> | undefined
    /** Makes the rows of one event; it is run again in every rebuild. */
    readonly handle: (event: StoredEvent, rows: Rows<NoInfer<A>>) => Effect.Effect<void, E, R>
    /** Side effects of one event; not run in a rebuild. */
    readonly react?: ((event: StoredEvent, rows: Rows<NoInfer<A>>) => Effect.Effect<void, E2, R2>) | undefined
  }
): Projection<A, E | E2, R | R2> => {
  const { categories, handle, indexes, name, react, schema, tenants, types, version } = options
  const refuse = (option: string, value: unknown, allowed: string) =>
    new InvalidOption({ module: "Projection.make", option, value: JSON.stringify(value), allowed })
  if (!/^[^@\0]{1,200}$/.test(name) || !name.isWellFormed()) {
    throw refuse("name", name, "1 to 200 characters without @, NUL and half surrogate pairs")
  }
  if (!Number.isInteger(version) || version < 1 || version > 2 ** 31 - 1) {
    throw refuse("version", version, "a whole number from 1 on")
  }
  return {
    name,
    version,
    categories,
    tenants,
    types,
    collection: collection<A, Encoded>({ name: `${name}@${version}`, schema, indexes }),
    handle,
    react
  }
}

/**
 * How a projection is kept behind the events.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions
  extends Pick<Options<never, never>, "batchSize" | "retry" | "poison" | "partitions" | "lease" | "timeout">
{
  /** Whether it becomes live as soon as it has caught up; with `manual` it waits for `promote`. `auto` when absent. */
  readonly promote?: "auto" | "manual" | undefined
}

/**
 * How a projection is kept in the transaction of every append.
 *
 * @category models
 * @since 0.1.0
 */
export interface InlineOptions {
  /**
   * Whether the first version of a projection becomes live by itself, or waits for `promote`, so that every process has
   * the layer by then. `auto` when absent. Later versions always wait.
   */
  readonly promote?: "auto" | "manual" | undefined
}

/**
 * What is known of one version.
 *
 * @category models
 * @since 0.1.0
 */
export interface Version {
  readonly version: number
  readonly mode: "inline" | "async"
  readonly status: "building" | "live" | "retired"
  /** The subscription that builds it and, when it is async, keeps it. */
  readonly subscription: string
}

/**
 * @category services
 * @since 0.1.0
 */
export class Projections extends Context.Service<Projections, {
  /** Builds the version, makes it live and keeps it, until it is interrupted; waits when a higher one is live. */
  readonly run: <A, E, R>(
    projection: Projection<A, E, R>,
    options?: RunOptions
  ) => Effect.Effect<never, InvalidOption, R>
  /** Builds the version and ends when it is live, or when a higher one is. */
  readonly rebuild: <A, E, R>(
    projection: Projection<A, E, R>,
    options?: Omit<RunOptions, "promote">
  ) => Effect.Effect<"live" | "superseded", InvalidOption | SubscriptionPaused | PromotionFailed | StoreUnavailable, R>
  /** Makes a version that has caught up live, and retires the live one, in one transaction. */
  readonly promote: <A, E, R>(
    projection: Projection<A, E, R>
  ) => Effect.Effect<"live" | "behind" | "superseded", E | StoreUnavailable, R>
  /** Waits until the version, or a higher one, is live; give it a time-out of your own. */
  readonly awaitLive: <A, E, R>(projection: Projection<A, E, R>) => Effect.Effect<void, StoreUnavailable>
  /** Waits until the live version has everything up to the position; give it a time-out of your own. */
  readonly awaitPosition: <A, E, R>(
    projection: Projection<A, E, R>,
    position: bigint
  ) => Effect.Effect<void, ProjectionNotLive | SubscriptionPaused | StoreUnavailable>
  /** A row of the live version. */
  readonly get: <A, E, R>(
    projection: Projection<A, E, R>,
    id: string
  ) => Effect.Effect<Option.Option<Row<A>>, ProjectionNotLive | StoreUnavailable>
  /** Rows of the live version. */
  readonly query: <A, E, R>(
    projection: Projection<A, E, R>,
    options?: QueryOptions
  ) => Effect.Effect<Page<A>, ProjectionNotLive | StoreUnavailable | InvalidQuery>
  /** All versions that have not been dropped, in order. */
  readonly versions: (name: string) => Effect.Effect<ReadonlyArray<Version>, StoreUnavailable>
  /** Removes the rows and checkpoints of a version that is not live and that nobody runs. */
  readonly drop: (
    name: string,
    version: number
  ) => Effect.Effect<"dropped" | "live" | "running" | "absent", StoreUnavailable>
  /** The stores that also keep these projections, as {@link layerInline} provides them. */
  readonly inline: <R>(
    projections: ReadonlyArray<Inline<R>>,
    options?: InlineOptions
  ) => Effect.Effect<
    Context.Context<EventStore | DynamicConsistencyBoundary>,
    StoreUnavailable | InvalidOption,
    R | Scope.Scope
  >
}>()("effect-lifecycle/store/Projection/Projections") {}

/**
 * A projection that can be kept inline: whatever its rows are, its handler fails with nothing of its own.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any -- a list holds projections of different rows
export type Inline<R> = Projection<any, StoreUnavailable, R>

/**
 * Runs a projection for as long as the layer lives. Wrong options fail the layer; what stops it later is logged.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <A, E, R>(
  projection: Projection<A, E, R>,
  options?: RunOptions
): Layer.Layer<never, InvalidOption, Projections | R> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const projections = yield* Projections
    const { name, version } = projection
    const limits = checked("Projection.layer", { ...options, name })
    if (limits instanceof InvalidOption) return yield* limits
    yield* Effect.forkScoped(
      loud(`The projection "${name}" (version ${version})`)(projections.run(projection, options))
    )
  }))

/**
 * An event store, and a boundary, whose appends also keep these projections, in one transaction.
 *
 * Several versions of one projection may be given: the live one is kept, and the highest is built beside it until
 * `promote`. The first version of a projection is live at once where there are no events, or as soon as it is built; with
 * `promote: "manual"` it waits as well.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerInline = <R>(
  projections: ReadonlyArray<Inline<R>>,
  options?: InlineOptions
): Layer.Layer<
  EventStore | DynamicConsistencyBoundary,
  StoreUnavailable | InvalidOption,
  Projections | Exclude<R, Scope.Scope>
> => Layer.effectContext(Projections.use((service) => service.inline(projections, options)))
