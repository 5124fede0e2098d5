/** From a snapshot and the events after it, or from all events, to the state. */
import { Context, Effect, Option, Result, Stream } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import type { EventStore, StoredEvent } from "../../../store/EventStore.ts"
import { isSealed, isShredded, PersonalData, subjectsOf } from "../../../store/PersonalData.ts"
import { type Snapshot, Snapshots } from "../../../store/Snapshots.ts"
import type { StoreUnavailable } from "../../../store/UnitOfWork.ts"
import type { Loaded, LoadError, Stored } from "./definition.ts"

/** A state, and what a snapshot of it has to say. */
export interface Folded<out State> extends Loaded<State> {
  /** Of the last event; 0 without events. */
  readonly position: bigint
  /** Whose personal data went into the state. */
  readonly subjects: ReadonlySet<string>
  /** The version of the snapshot it began with; 0 without. */
  readonly snapshotVersion: number
  /** A snapshot was there and could not be used. */
  readonly ignored: boolean
}

export interface FoldOptions<Event, State = never> {
  /** Reads on from there, where the stream is still the one that it was folded from. */
  readonly from?: Folded<State> | undefined
  /** Reads up to this version. */
  readonly upTo?: number | undefined
  /** Sees every event; then no snapshot is used. */
  readonly onEvent?: ((event: Event, version: number) => void) | undefined
}

/** Why a snapshot was of no use. */
type Ignored = Recorder.SnapshotIgnored["reason"]

/** Where a fold begins. */
interface Start<State> {
  readonly state: State
  readonly version: number
  readonly position: bigint
  readonly subjects: ReadonlySet<string>
}

/** What a snapshot with personal data is bound to. */
export const placeOf = (aggregate: { readonly name: string }, id: string, fingerprint: string, version: number) => [
  "snapshot",
  aggregate.name,
  id,
  fingerprint,
  String(version)
]

export const fold = <State, Event extends { readonly _tag: string }, P>(
  store: EventStore["Service"],
  aggregate: Stored<State, Event, P>,
  id: string,
  services: Context.Context<never>,
  options: FoldOptions<Event, State> = {}
): Effect.Effect<Folded<State>, LoadError> =>
  Effect.gen(function*() {
    const { from, onEvent, upTo = Number.MAX_SAFE_INTEGER } = options
    if (from !== undefined) {
      const end = yield* run(store, aggregate, id, services, from, upTo, onEvent)
      if (end !== "foreign") return { ...end, snapshotVersion: from.snapshotVersion, ignored: from.ignored }
    }
    const initial: Start<State> = { state: aggregate.initial, version: 0, position: 0n, subjects: new Set() }
    const found = onEvent === undefined ? yield* find(aggregate, id, services, upTo) : undefined
    const whole = (ignored: boolean): Effect.Effect<Folded<State>, LoadError> =>
      Effect.flatMap(run(store, aggregate, id, services, initial, upTo, onEvent), (end) =>
        end === "foreign"
          ? Effect.die(new Error("a fold of all events has no snapshot that could be of another stream"))
          : Effect.succeed({ ...end, snapshotVersion: 0, ignored }))
    if (found === undefined) return yield* whole(false)
    if (typeof found === "string") return yield* Effect.andThen(report(aggregate, found), whole(true))
    return yield* run(store, aggregate, id, services, found, upTo, onEvent).pipe(
      Effect.flatMap((end) =>
        end === "foreign"
          ? Effect.andThen(report(aggregate, end), whole(true))
          : Effect.succeed({ ...end, snapshotVersion: found.version, ignored: false })
      )
    )
  })

const report = (aggregate: { readonly name: string }, reason: Ignored) =>
  Recorder.report(() => ({ _tag: "SnapshotIgnored", aggregate: aggregate.name, reason }))

/** The state of the snapshot, why it is of no use, or `undefined` where there is none. */
const find = <State, Event extends { readonly _tag: string }, P>(
  aggregate: Stored<State, Event, P>,
  id: string,
  services: Context.Context<never>,
  upTo: number
): Effect.Effect<Start<State> | Ignored | undefined, StoreUnavailable> =>
  Effect.gen(function*() {
    const snapshots = Context.getOption(services as Context.Context<Snapshots>, Snapshots)
    if (aggregate.snapshots === undefined || Option.isNone(snapshots)) return undefined
    const { decode, fingerprint } = aggregate.snapshots
    const stream = { category: aggregate.name, id }
    const found = yield* snapshots.value.find({ stream, aggregate: aggregate.name, fingerprint })
    if (Option.isNone(found) || found.value.version > upTo) return undefined
    const opened = yield* open(aggregate, id, services, fingerprint, found.value)
    if (typeof opened === "string") return opened
    const state = decode(opened.data)
    const { position, version } = found.value
    return Result.isFailure(state)
      ? "undecodable"
      : { state: state.success, version, position, subjects: new Set(opened.subjects) }
  })

interface Opened {
  readonly data: unknown
  readonly subjects: ReadonlyArray<string>
}

const open = (
  aggregate: { readonly name: string; readonly personal: boolean },
  id: string,
  services: Context.Context<never>,
  fingerprint: string,
  { data, version }: Snapshot
): Effect.Effect<Opened | Ignored, StoreUnavailable> => {
  if (!aggregate.personal || !isSealed(data)) return Effect.succeed({ data, subjects: [] })
  return personalOf(services, aggregate.name).openJson(data, placeOf(aggregate, id, fingerprint, version)).pipe(
    Effect.map((opened): Opened | Ignored =>
      isShredded(opened) ? "shredded" : { data: opened.value, subjects: opened.subjects }
    ),
    Effect.catchTag("PersonalDataUnreadable", () => Effect.succeed<Ignored>("unreadable"))
  )
}

/** The types ask for the layer; who goes around them is told. */
export const personalOf = (services: Context.Context<never>, aggregate: string): PersonalData["Service"] => {
  const personal = Context.getOption(services as Context.Context<PersonalData>, PersonalData)
  if (Option.isSome(personal)) return personal.value
  throw new Error(
    `Aggregate "${aggregate}" has personal fields; provide PersonalData.layer where its handlers are built`
  )
}

const run = <State, Event extends { readonly _tag: string }, P>(
  store: EventStore["Service"],
  aggregate: Stored<State, Event, P>,
  id: string,
  services: Context.Context<never>,
  start: Start<State>,
  upTo: number,
  onEvent: FoldOptions<Event>["onEvent"]
): Effect.Effect<Start<State> | "foreign", LoadError> =>
  Effect.suspend(() => {
    let { position, state, version } = start
    const subjects = new Set(start.subjects)
    // The event that the snapshot ended with comes first, to show that this is the stream it was made from.
    let anchored = version === 0
    let foreign = false
    const step = (stored: StoredEvent): Effect.Effect<never, LoadError> | undefined => {
      if (foreign) return undefined
      if (!anchored) {
        anchored = stored.version === version && stored.position === position
        foreign = !anchored
        return undefined
      }
      if (stored.version > upTo) return version < upTo ? damaged(aggregate, id, stored, version) : undefined
      if (stored.version !== version + 1) {
        if (version !== 0 || !aggregate.summaries.has(stored.type)) return damaged(aggregate, id, stored, version)
      }
      const event = aggregate.decode(stored)
      if (Result.isFailure(event)) return Effect.fail(event.failure)
      state = aggregate.evolve(state, event.success)
      version = stored.version
      position = stored.position
      onEvent?.(event.success, version)
      return undefined
    }
    const steps = (chunk: ReadonlyArray<StoredEvent>) => {
      for (const stored of chunk) {
        const failure = step(stored)
        if (failure !== undefined) return failure
      }
      return Effect.void
    }
    const from = Math.max(1, version)
    const read = store.read({ category: aggregate.name, id }, { from, limit: upTo - from + 1 })
    const filled = Stream.runForEachArray(read, (chunk) => {
      if (!aggregate.personal || !chunk.some(({ data }) => isSealed(data))) return steps(chunk)
      // The anchor is in the state already, and its subjects are the snapshot's.
      for (const { data } of chunk) for (const subject of subjectsOf(data)) subjects.add(subject)
      return Effect.flatMap(personalOf(services, aggregate.name).openAll(chunk), steps)
    })
    return Effect.map(filled, () => anchored ? { state, version, position, subjects } : "foreign" as const)
  })

const damaged = (
  aggregate: { readonly name: string },
  id: string,
  { type, version }: StoredEvent,
  before: number
): Effect.Effect<never> =>
  Effect.die(
    new Error(
      before === 0
        ? `Stream "${aggregate.name}/${id}" begins at version ${version} with "${type}", which is no summary, and no snapshot of the current state's Schema holds what was before. Deploy the version whose snapshot it has, or restore the events`
        : `Stream "${aggregate.name}/${id}" has a gap: version ${version} follows ${before}. The stream was damaged; restore it before deciding on it`
    )
  )
