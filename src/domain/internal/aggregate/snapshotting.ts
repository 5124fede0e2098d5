/** When a snapshot is due, and how it is written. */
import { Context, Effect, Option, Result, Schema } from "effect"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import type { NewEvent } from "../../../store/EventStore.ts"
import { subjectsOf } from "../../../store/PersonalData.ts"
import { fingerprint, Snapshots } from "../../../store/Snapshots.ts"
import * as Tenant from "../../../store/Tenant.ts"
import type { StoreUnavailable, UnitOfWork } from "../../../store/UnitOfWork.ts"
import type { Any as AnyEvent } from "../../DomainEvent.ts"
import type { Loaded, Snapshotting, Stored } from "./definition.ts"
import { type Folded, personalOf, placeOf } from "./loading.ts"

/**
 * The fingerprint also has the state before the first event, and the events whose stored versions are upcast: both change
 * what old streams fold to.
 */
export const make = <State>(options: {
  readonly name: string
  readonly state: Schema.Codec<State, unknown, never, never>
  readonly initial: State
  readonly events: ReadonlyArray<AnyEvent>
  readonly snapshotEvery?: number | undefined
  readonly snapshotRevision?: string | number | undefined
}): Snapshotting<State> | undefined => {
  const { events, initial, name, snapshotEvery: every, snapshotRevision = "", state } = options
  if (every === undefined) return undefined
  if (!Number.isSafeInteger(every) || every < 1) {
    throw new InvalidOption({
      module: `Aggregate.make("${name}")`,
      option: "snapshotEvery",
      value: String(every),
      allowed: "a whole number from 1"
    })
  }
  const json = Schema.toCodecJson(state)
  const encode = Schema.encodeUnknownResult(json)
  const upcast = events.filter(({ version }) => version > 1).map(({ type, version }) => `${type}@${version}`).toSorted()
  const first = encode(initial)
  const begin = Result.isSuccess(first) ? JSON.stringify(first.success) : "none"
  return {
    every,
    fingerprint: fingerprint(state, [begin, ...upcast, `revision ${snapshotRevision}`]),
    encode,
    // A state from a program with other fields has another fingerprint; what does not fit was changed by hand.
    decode: Schema.decodeUnknownResult(json, { onExcessProperty: "error" })
  }
}

/** Writes the snapshot of a state and waits for it; false where there is nothing to write. */
export const save = <State, Event extends { readonly _tag: string }, P>(
  aggregate: Stored<State, Event, P>,
  id: string,
  folded: Folded<State>,
  services: Context.Context<never>
): Effect.Effect<boolean, StoreUnavailable> =>
  Effect.gen(function*() {
    const snapshots = Context.getOption(services as Context.Context<Snapshots>, Snapshots)
    if (aggregate.snapshots === undefined || Option.isNone(snapshots) || folded.version === 0) return false
    const { encode, fingerprint } = aggregate.snapshots
    const state = encode(folded.state)
    if (Result.isFailure(state)) return false
    const subjects = [...folded.subjects]
    const place = placeOf(aggregate, id, fingerprint, folded.version)
    const data = subjects.length === 0
      ? state.success
      // A subject that was shredded meanwhile: then there is nothing that may be kept.
      : yield* personalOf(services, aggregate.name).sealJson(state.success, { subjects, place }).pipe(
        Effect.catchTags({
          SubjectShredded: () => Effect.undefined,
          PersonalDataUnreadable: () => Effect.undefined
        })
      )
    if (data === undefined) return false
    const stream = { category: aggregate.name, id }
    // Nobody can use it, and where it has a higher version it would keep this one away.
    if (folded.ignored) yield* snapshots.value.remove(stream)
    const { position, version } = folded
    return yield* snapshots.value.save({ stream, aggregate: aggregate.name, fingerprint }, { version, position, data })
  })

/**
 * Has the snapshot of a state written in the background, once its events are committed, where so many have come since the
 * last one, and says whether. Not in the transaction: that would hold the stream's lock for a cache.
 */
export const afterCommit = <State, Event extends { readonly _tag: string }, P>(
  aggregate: Stored<State, Event, P>,
  id: string,
  before: Folded<State>,
  after: Loaded<State> & { readonly position: bigint },
  events: ReadonlyArray<NewEvent>,
  services: Context.Context<never>,
  unit: UnitOfWork["Service"]
): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const snapshots = Context.getOption(services as Context.Context<Snapshots>, Snapshots)
    const { snapshots: kept } = aggregate
    if (
      kept === undefined || Option.isNone(snapshots) || after.version - before.snapshotVersion < kept.every
    ) return false
    const subjects = new Set([...before.subjects, ...events.flatMap(({ data }) => subjectsOf(data))])
    const write = save(aggregate, id, { ...before, ...after, subjects }, services)
    // The tenant is that of the command, whatever runs the callbacks of a commit.
    const tenant = yield* Tenant.Current
    yield* unit.afterCommit(snapshots.value.background(Effect.provideService(write, Tenant.Current, tenant)))
    return true
  })
