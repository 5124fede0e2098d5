/** What the owner of a saga knows of it, and how it writes what it finds out. */
import { Cause, Context, Duration, Effect, Exit, Option, Result, type Schedule, Schema, Tracer } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import * as Priority from "../../../request/Priority.ts"
import * as RequestId from "../../../request/RequestId.ts"
import * as TraceContext from "../../../request/TraceContext.ts"
import * as RetrySchedule from "../../../resilience/RetrySchedule.ts"
import * as EventMeta from "../../../store/EventMeta.ts"
import type { Change, Held, ParkedFor, SagaRecord, StepChange, Written } from "../../../store/SagaStore.ts"
import * as Tenant from "../../../store/Tenant.ts"
import type { StoreUnavailable } from "../../../store/UnitOfWork.ts"
import type { ParkReason } from "../../SagaOutcome.ts"
import type { TextCodec } from "./codec.ts"
import { isBeyondPivot, type Planned } from "./plan.ts"
import type { AnyStep, StepContext } from "./step.ts"

/** A definition whose types are forgotten. */
export interface Driven extends Planned {
  readonly name: string
  readonly version: number
  readonly inner: ReadonlyArray<AnyStep>
  readonly input: TextCodec<unknown>
  readonly cause: TextCodec<Cause.Cause<unknown>>
  readonly deadlineMillis: number | undefined
  readonly compensationRetry: Schedule.Schedule<unknown, Cause.Cause<unknown>>
}

/** What was stored is not what the definition can read. */
export class Undecodable extends Error {}

export class Journal {
  readonly definition: Driven
  readonly held: Held
  saga: SagaRecord
  ageMillis: number
  /** Another has it by now, or it was given back. */
  gone = false

  constructor(definition: Driven, held: Held) {
    this.definition = definition
    this.held = held
    this.saga = held.saga
    this.ageMillis = held.ageMillis
  }

  get isOverdue(): boolean {
    const { deadlineMillis } = this.definition
    return deadlineMillis !== undefined && this.ageMillis > deadlineMillis
  }

  readonly write = (change: Change): Effect.Effect<Written | undefined, StoreUnavailable> =>
    Effect.tap(this.held.write(change), (written) => Effect.sync(() => this.learn(change, written)))

  /** What has been written, and what came back. */
  readonly learn = (change: Change, written: Written | undefined): void => {
    if (written === undefined || change.releaseMillis !== undefined) this.gone = true
    if (written === undefined) return
    const { backward = this.saga.backward, failure = this.saga.failure, parked, state, steps = [] } = change
    this.saga = {
      ...this.saga,
      state,
      backward,
      failure,
      parked,
      wish: written.wish,
      attempts: change.progress ? 0 : this.saga.attempts,
      steps: steps.reduce(withStep, this.saga.steps)
    }
    this.ageMillis = written.ageMillis
  }

  /** Writes one step; the saga goes on as it did. */
  readonly note = (step: StepChange, progress: boolean, releaseMillis?: number) =>
    this.write({ steps: [step], state: this.saga.state, progress, releaseMillis })

  /** Gives the saga back, to be tried again later by whoever has time. */
  readonly later = Effect.fnUntraced(
    { self: this },
    function*(this: Journal, step: StepChange, backoff: Schedule.Schedule<unknown>) {
      const delay = yield* RetrySchedule.delayAfter(backoff, Math.max(1, this.saga.attempts), undefined)
      yield* this.note(step, false, Option.isNone(delay) ? 0 : millisOf(delay.value))
    }
  )

  /** `noted` is what else is to be kept of a step. */
  readonly park = (reason: ParkReason, step: string | undefined, message: string, noted?: StepChange) =>
    Effect.andThen(park(this.write, { reason, step, message }, noted), this.ended(`parked:${reason}`))

  readonly end = (state: "completed" | "compensated" | "cancelled") =>
    Effect.andThen(this.write({ state, progress: true }), this.ended(state))

  private ended(outcome: string): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.gone
        ? Effect.void
        : Recorder.report(() => ({ _tag: "SagaEnded", saga: this.saga.name, outcome, ageMillis: this.ageMillis }))
    )
  }

  readonly contextOf = (
    step: AnyStep,
    index: number,
    attempt: number,
    suffix: string
  ): StepContext<unknown, unknown> => {
    const { definition, saga } = this
    return {
      id: saga.id,
      input: decode(definition.input, saga.input),
      results: Object.fromEntries(
        saga.steps.flatMap(({ place, result, state, step }) => {
          const before = definition.inner[place]
          const known = place < index && result !== undefined && state !== "failed" && before !== undefined
          return known ? [[step, decode(before.codec, result)]] : []
        })
      ),
      key: `${saga.name}/${saga.id}/${step.id}${suffix}`,
      attempt,
      token: saga.token
    }
  }

  readonly recordOf = (step: AnyStep, place: number, change: Partial<StepChange>): StepChange => ({
    state: "started",
    attempt: 1,
    fallback: false,
    result: undefined,
    failure: undefined,
    ...this.saga.steps.find((record) => record.place === place),
    step: step.id,
    place,
    ...change
  })

  readonly causeText = (cause: Cause.Cause<unknown>): string => {
    try {
      return this.definition.cause.encode(cause)
    } catch {
      // A failure that the saga's error schema cannot keep, which the types do not let through.
      return this.textOf(Cause.pretty(cause))
    }
  }

  readonly textOf = (text: string): string => this.definition.cause.encode(Cause.die(new Error(cleaned(text))))

  readonly said = (text: string | undefined): string => said(this.definition.cause, text)

  /** How long a wait may be: no longer than until the saga is overdue, where that still means something. */
  readonly bounded = (delay: Duration.Duration): number => {
    const { definition: { deadlineMillis }, saga } = this
    const millis = millisOf(delay)
    return deadlineMillis === undefined || saga.backward || isBeyondPivot(this.definition, saga.steps)
      ? millis
      : Math.min(millis, Math.max(0, Math.ceil(deadlineMillis - this.ageMillis)) + 1)
  }

  /** As a part of the saga: in its tenant, its process, and the request that started it. */
  readonly within = <A, E, R>(self: Effect.Effect<A, E, R>, key: string): Effect.Effect<A, E, R> => {
    const { id, meta, tenant } = this.saga
    return Effect.updateContext(self, (around: Context.Context<R>) => {
      let context = around.pipe(
        Context.add(Tenant.Current, tenant),
        Context.add(EventMeta.Correlation, Option.some(meta["correlationId"] ?? id)),
        Context.add(EventMeta.Causation, Option.some(key)),
        Context.add(EventMeta.Actor, Option.fromUndefinedOr(meta["actor"])),
        Context.add(Priority.Current, Option.getOrElse(priorityOf(meta["priority"]), () => "normal"))
      )
      const requestId = RequestId.parse(meta["requestId"] ?? "")
      context = Option.isSome(requestId)
        ? RequestId.add(context, requestId.value)
        : Context.add(context, RequestId.Current, requestId)
      const trace = Result.getSuccess(TraceContext.parse(meta["traceparent"] ?? "", meta["tracestate"]))
      context = Context.add(context, TraceContext.Current, trace)
      return Option.isSome(trace)
        ? Context.add(context, Tracer.ParentSpan, TraceContext.toExternalSpan(trace.value))
        : context
    })
  }
}

const priorityOf = Schema.decodeUnknownOption(Priority.Priority)

export const park = (
  write: Held["write"],
  { message, reason, step }: ParkedFor & { readonly reason: ParkReason },
  noted?: StepChange
) =>
  write({
    steps: noted === undefined ? [] : [noted],
    state: "parked",
    parked: { reason, step, message: cleaned(message) },
    progress: false
  })

/** Throws {@link Undecodable}. */
export const decode = <A>(codec: TextCodec<A>, text: string): A => {
  const exit = codec.decode(text)
  if (Exit.isSuccess(exit)) return exit.value
  throw new Undecodable(Cause.pretty(exit.cause))
}

export const millisOf = (duration: Duration.Duration): number => Math.max(0, Math.round(Duration.toMillis(duration)))

/** Without what a store cannot hold, and not longer than somebody reads. */
export const cleaned = (text: string): string => text.replaceAll("\0", "").toWellFormed().slice(0, 4000).toWellFormed()

/** A failure that was kept, in words. */
export const said = (codec: Driven["cause"], text: string | undefined): string => {
  if (text === undefined) return "nobody said why"
  const cause = codec.decode(text)
  const error = Exit.isSuccess(cause) ? Cause.squash(cause.value) : text
  return error instanceof Error ? error.message : String(error)
}

/** The times are the store's; the owner does not look at them. */
const unknownTime = new Date(0)

const withStep = (steps: SagaRecord["steps"], step: StepChange): SagaRecord["steps"] =>
  [
    ...steps.filter(({ place }) => place !== step.place),
    { ...step, startedAt: unknownTime, changedAt: unknownTime }
  ].toSorted((a, b) => a.place - b.place)
