/** Brings one saga on, from wherever its journal stands: each outcome is written before the next step begins. */
import { Cause, Clock, Duration, Effect, Exit, Option, type Schedule } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import * as Fallback from "../../../resilience/Fallback.ts"
import * as RetrySchedule from "../../../resilience/RetrySchedule.ts"
import type { Change, Held, StepRecord, Written } from "../../../store/SagaStore.ts"
import { StoreUnavailable, UnitOfWork } from "../../../store/UnitOfWork.ts"
import { CommandInProgress } from "../../DomainError.ts"
import { SagaOverdue } from "../../SagaOutcome.ts"
import { decode, type Driven, Journal, millisOf, park, Undecodable } from "./journal.ts"
import { type Action, isBeyondPivot, next } from "./plan.ts"
import type { AnyStep, InDoubt, Resolution } from "./step.ts"

export interface Limits {
  /** Claims without progress, before a person is asked. */
  readonly attempts: number
  readonly backoff: Schedule.Schedule<unknown>
}

/** What a step's functions are once their types are forgotten; the layer that runs them has what they need. */
type Run<A> = Effect.Effect<A, unknown>

type Done = Effect.Effect<void, StoreUnavailable, UnitOfWork>

export const drive = (definition: Driven | undefined, held: Held, limits: Limits): Done =>
  Effect.gen(function*() {
    const { attempts, id, name, steps, version } = held.saga
    if (definition === undefined) {
      yield* park(held.write, {
        reason: "UnknownVersion",
        step: undefined,
        message:
          `Version ${version} of the saga "${name}" is not known here. Run its definition beside the new one, or name it in \`continues\`, then resume "${id}"`
      })
      return yield* Recorder.report(() => ({
        _tag: "SagaEnded",
        saga: name,
        outcome: "parked:UnknownVersion",
        ageMillis: held.ageMillis
      }))
    }
    const journal = new Journal(definition, held)
    if (attempts > limits.attempts) {
      const last = steps.findLast(({ failure }) => failure !== undefined)
      return yield* journal.park(
        "Exhausted",
        last?.step,
        `${attempts - 1} attempts in a row came to no end: ${journal.said(last?.failure)}`
      )
    }
    while (!journal.gone && !held.isStopping()) {
      const { saga } = journal
      if (saga.state !== "running" && saga.state !== "compensating") return
      yield* Effect.suspend(() => perform(journal, next(definition, saga, journal.isOverdue), limits)).pipe(
        Effect.catchDefect((defect) =>
          defect instanceof Undecodable
            ? journal.park("Undecodable", undefined, `What was stored does not decode: ${defect.message}`)
            : Effect.die(defect)
        )
      )
    }
  })

const perform = (journal: Journal, action: Action, limits: Limits): Done => {
  const { definition, saga } = journal
  switch (action._tag) {
    case "Run":
      return at(journal, action.index, (step) => run(journal, step, action.index, action.attempt, undefined, limits))
    case "Resolve": {
      const { failure, fallback } = action.record
      const why = failure === undefined || fallback ? "its process ended in the middle of it" : journal.said(failure)
      return at(journal, action.index, (step) => doubt(journal, step, action.index, why, false, limits))
    }
    case "Undo":
      return at(journal, action.index, (step) => undo(journal, step, action.index, action.attempt, action.record))
    case "TurnBack": {
      const { id, name } = saga
      const overdue = () => new SagaOverdue({ saga: name, id, deadlineMillis: definition.deadlineMillis ?? 0 })
      const failure = action.why === "overdue" ? journal.causeText(Cause.fail(overdue())) : undefined
      return Effect.asVoid(journal.write({ state: "compensating", backward: true, failure, progress: true }))
    }
    case "Complete":
      return journal.end("completed")
    case "Undone":
      return journal.end(saga.failure === undefined ? "cancelled" : "compensated")
    case "Park": {
      const why = journal.said(saga.steps.find(({ step }) => step === action.step)?.failure)
      const what = action.reason === "CompensationFailed" ? "could not be undone" : "failed behind the pivot"
      return journal.park(action.reason, action.step, `The step "${action.step}" ${what}: ${why}`)
    }
    case "Misfit":
      return journal.park(
        "UnknownStep",
        action.step,
        `The step "${action.step}" of the saga "${saga.name}" ${saga.version} is not where version ${definition.version} has it. Run the definition that "${saga.id}" was started with, then resume it`
      )
  }
}

/** The plan names only steps that the definition has. */
const at = (journal: Journal, index: number, f: (step: AnyStep) => Done): Done => {
  const step = journal.definition.inner[index]
  return step === undefined ? Effect.void : f(step)
}

/** Runs a step, or only its fallback where that is given what the step failed with. */
const run = (
  journal: Journal,
  step: AnyStep,
  index: number,
  attempt: number,
  failed: Cause.Cause<unknown> | undefined,
  limits: Limits
): Done =>
  Effect.gen(function*() {
    const { breaker, fallback, run, transactional = false } = step.options
    const unit = yield* UnitOfWork
    const begin = (cause: Cause.Cause<unknown> | undefined) => {
      const failure = cause === undefined ? undefined : journal.causeText(cause)
      return journal.note(
        journal.recordOf(step, index, { state: "started", attempt, fallback: cause !== undefined, failure }),
        false
      )
    }
    const done = (result: unknown): Change => ({
      steps: [journal.recordOf(step, index, { state: "done", result: step.codec.encode(result), failure: undefined })],
      state: journal.saga.state,
      progress: true
    })
    /** With its outcome in one transaction, where it is to be. */
    const once = (self: (context: never) => Effect.Effect<unknown, unknown, unknown>, suffix: string): Run<unknown> => {
      const context = journal.contextOf(step, index, attempt, suffix)
      const inTime = timed(journal, step, context.key, Effect.suspend(() => self(context as never)))
      if (!transactional) return inTime
      const atomic = unit.run(Effect.gen(function*() {
        const result = yield* inTime
        const change = done(result)
        const written = yield* journal.held.write(change)
        if (written === undefined) journal.gone = true
        return { change, result, written: yield* orLost(written) }
      }))
      // What was written counts from the commit on.
      return Effect.map(atomic, ({ change, result, written }) => {
        journal.learn(change, written)
        return result
      })
    }
    const second = (cause: Cause.Cause<unknown>): Run<unknown> =>
      fallback === undefined
        ? Effect.failCause(cause)
        : once((context) => fallback.run(context, cause as Cause.Cause<never>), "/fallback")
    const name = `${journal.saga.name}/${step.id}`
    const first = () => {
      const alone = once(run, "")
      const guarded = breaker === undefined ? alone : breaker.run(name, alone)
      return fallback === undefined ? guarded : Fallback.effect(guarded, {
        name,
        on: fallback.on as Fallback.On<unknown> | undefined,
        fallback: (cause) => Effect.andThen(Effect.flatMap(begin(cause), orLost), second(cause))
      })
    }

    yield* begin(failed)
    if (journal.gone) return
    const exit = yield* reported(
      journal,
      step,
      "run",
      attempt,
      Effect.suspend(() => failed === undefined ? first() : second(failed)).pipe(
        Effect.tap((result) =>
          transactional ? Effect.void : Effect.asVoid(Effect.suspend(() => journal.write(done(result))))
        ),
        Effect.exit
      )
    )
    if (journal.gone || Exit.isSuccess(exit)) return
    const known = isKnown(exit.cause)
    if (!transactional) {
      return known
        ? yield* failure(journal, step, index, exit.cause)
        : yield* doubt(journal, step, index, Cause.pretty(exit.cause), true, limits)
    }
    // Whether it was committed stands in the journal, so the next owner reads it again.
    const away = exit.cause.reasons.find((reason) => Cause.isFailReason(reason) && isAway(reason.error))
    if (away !== undefined && Cause.isFailReason(away)) return yield* away.error as StoreUnavailable
    return known
      ? yield* failure(journal, step, index, exit.cause)
      : yield* journal.later(
        journal.recordOf(step, index, { failure: journal.textOf(Cause.pretty(exit.cause)) }),
        limits.backoff
      )
  })

/** The step has failed and nothing has happened: it is tried again, or the saga goes back. */
const failure = (journal: Journal, step: AnyStep, index: number, cause: Cause.Cause<unknown>): Done =>
  Effect.gen(function*() {
    const record = journal.recordOf(step, index, { state: "failed", failure: journal.causeText(cause) })
    const { retry } = step.options
    const delay = retry === undefined
      ? Option.none()
      : yield* RetrySchedule.delayAfter(
        retry as Schedule.Schedule<unknown, unknown>,
        record.attempt,
        Cause.squash(cause)
      )
    if (Option.isSome(delay)) {
      yield* journal.note({ ...record, state: "waiting", fallback: false }, true, journal.bounded(delay.value))
    } else if (isBeyondPivot(journal.definition, journal.saga.steps)) {
      yield* journal.note(record, true)
    } else {
      yield* journal.write({
        steps: [record],
        state: "compensating",
        backward: true,
        failure: record.failure,
        progress: true
      })
    }
  })

/** Nobody knows how the step has ended; `here` says that it was this process that ran it. */
const doubt = (
  journal: Journal,
  step: AnyStep,
  index: number,
  why: string,
  here: boolean,
  limits: Limits
): Done =>
  Effect.gen(function*() {
    const record = journal.recordOf(step, index, {})
    const { options } = step
    const policy: InDoubt<never, unknown, unknown, unknown> = options.transactional === true
      ? "repeat"
      : (record.fallback ? options.fallback?.inDoubt : options.inDoubt) ?? "park"
    const noted = (text: string) => record.fallback ? record : { ...record, failure: journal.textOf(text) }
    if (policy === "park") {
      return yield* journal.park(
        "InDoubt",
        step.id,
        `Nobody knows whether the step "${step.id}" has happened (${why}). Look, then resume "${journal.saga.id}" with what you have found`,
        noted(why)
      )
    }
    // In the record of a fallback stands why the step itself has failed; its next attempt needs to know.
    const because = record.fallback && record.failure !== undefined
      ? decode(journal.definition.cause, record.failure)
      : undefined
    const again = Effect.suspend(() => run(journal, step, index, record.attempt + 1, because, limits))
    if (policy === "repeat") return yield* here ? journal.later(noted(why), limits.backoff) : again

    const context = journal.contextOf(step, index, record.attempt, record.fallback ? "/fallback" : "")
    const look = Effect.suspend(() => policy(context as never)) as Run<Resolution<unknown, unknown>>
    const found = yield* Effect.exit(timed(journal, step, context.key, look))
    if (Exit.isFailure(found)) return yield* journal.later(noted(Cause.pretty(found.cause)), limits.backoff)
    switch (found.value._tag) {
      case "Happened": {
        const result = step.codec.encode(found.value.result)
        return yield* Effect.asVoid(journal.note({ ...record, state: "done", result, failure: undefined }, true))
      }
      case "Failed":
        return yield* failure(journal, step, index, Cause.fail(found.value.error))
      case "NotHappened":
        return yield* again
    }
  })

const undo = (journal: Journal, step: AnyStep, index: number, attempt: number, before: StepRecord): Done =>
  Effect.gen(function*() {
    const { compensationRetry = journal.definition.compensationRetry, fallback } = step.options
    const compensate = before.fallback ? fallback?.compensate : step.options.compensate
    yield* journal.note(journal.recordOf(step, index, { state: "undoing", attempt }), false)
    if (journal.gone) return
    const context = journal.contextOf(step, index, attempt, before.fallback ? "/fallback/compensate" : "/compensate")
    const result = before.result === undefined ? undefined : decode(step.codec, before.result)
    const self = Effect.suspend(() => compensate === undefined ? Effect.void : compensate(context as never, result))
    const exit = yield* reported(
      journal,
      step,
      "compensate",
      attempt,
      Effect.exit(timed(journal, step, context.key, self))
    )
    if (Exit.isSuccess(exit)) {
      return yield* Effect.asVoid(journal.note(journal.recordOf(step, index, { state: "undone" }), true))
    }
    const text = journal.textOf(Cause.pretty(exit.cause))
    const delay = yield* RetrySchedule.delayAfter(compensationRetry, attempt, exit.cause)
    const state = Option.isNone(delay) ? "stuck" : "undoWaiting"
    yield* journal.note(
      journal.recordOf(step, index, { state, failure: text }),
      true,
      Option.isNone(delay) ? undefined : millisOf(delay.value)
    )
  })

/** As a part of the saga, within the time of the step. What it needs, the layer that runs the saga has. */
const timed = <A>(
  journal: Journal,
  { options: { timeout } }: AnyStep,
  key: string,
  self: Effect.Effect<A, unknown, unknown>
): Run<A> => {
  const inside = journal.within(self, key) as Run<A>
  return timeout === undefined ? inside : Effect.timeoutOrElse(inside, {
    duration: timeout,
    orElse: () => Effect.die(new Error(`it took longer than ${Duration.format(Duration.fromInputUnsafe(timeout))}`))
  })
}

const reported = <A>(
  { saga }: Journal,
  step: AnyStep,
  action: "run" | "compensate",
  attempt: number,
  self: Effect.Effect<Exit.Exit<A, unknown>>
) =>
  Effect.withFiber<Exit.Exit<A, unknown>>((fiber) => {
    const recorder = fiber.getRef(Recorder.Current)
    if (recorder === undefined) return self
    const clock = fiber.getRef(Clock.Clock)
    const startNanos = clock.monotonicTimeNanosUnsafe()
    return Effect.onExit(self, (exit) =>
      Effect.sync(() =>
        recorder({
          _tag: "SagaStepEnded",
          saga: saga.name,
          step: step.id,
          action,
          outcome: Exit.isFailure(exit) ? "interrupted" : outcomeOf(exit.value),
          attempt,
          requestId: saga.meta["requestId"],
          startNanos,
          endNanos: clock.monotonicTimeNanosUnsafe()
        }, fiber)
      ))
  })

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Recorder.SagaStepEnded["outcome"] =>
  Exit.isSuccess(exit) ? "success" : isKnown(exit.cause) ? "failure" : "inDoubt"

/**
 * Only a typed failure says that nothing has happened; a store that went away may have gone after its commit, and a command
 * that is still running may happen.
 */
const isKnown = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.length > 0 &&
  cause.reasons.every((reason) =>
    Cause.isFailReason(reason) && !isAway(reason.error) && !(reason.error instanceof CommandInProgress)
  )

const isAway = (error: unknown): error is StoreUnavailable => error instanceof StoreUnavailable

const orLost = (written: Written | undefined): Effect.Effect<Written> =>
  written === undefined ? Effect.die(new Error("another process has taken the saga")) : Effect.succeed(written)
