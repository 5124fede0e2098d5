import { type Cause, Context, Effect } from "effect"
import type { StoreUnavailable, UnitOfWork } from "../../store/UnitOfWork.ts"

export interface Unit {
  /** What the unit must not commit: the cause of a command that failed after it had begun to write. */
  broken: Cause.Cause<StoreUnavailable> | undefined
  /** What runs when the unit has committed, before it answers; `undefined` once it has run. */
  afterwards: Array<Effect.Effect<void>> | undefined
}

export const Current = Context.Reference<Unit | undefined>("effect-lifecycle/domain/Domain/Unit", {
  defaultValue: () => undefined
})

/**
 * Runs `self` as one unit in a transaction. A unit that goes on after a command broke it fails with its cause in the end,
 * so that no half of a command is kept.
 */
export const whole = <A, E, R>(
  store: UnitOfWork["Service"],
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | StoreUnavailable, R> =>
  Effect.flatMap(store.isOpen, (joined) =>
    Effect.withFiber((fiber) => {
      // What a commit has left in the context is no unit that is still open.
      const outer = joined ? fiber.getRef(Current) : undefined
      const unit: Unit = outer ?? { broken: undefined, afterwards: [] }
      const run = store.run(Effect.tap(
        Effect.provideService(self, Current, unit),
        () => unit.broken === undefined ? Effect.void : Effect.failCause(unit.broken)
      ))
      return outer === undefined ? Effect.tap(run, () => finish(unit)) : run
    }))

const finish = (unit: Unit): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { afterwards = [] } = unit
    unit.afterwards = undefined
    return Effect.forEach(afterwards, (one) => one, { discard: true })
  })

/** Keeps `effect`, called after a commit, for the end of the unit; runs it at once where that has come already. */
export const afterwards = (unit: Unit | undefined, effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (unit?.afterwards === undefined) return effect
    unit.afterwards.push(effect)
    return Effect.void
  })

/** Marks the enclosing unit when `self`, the writing part of a command, does not succeed. */
export const writing = <A, R>(self: Effect.Effect<A, StoreUnavailable, R>): Effect.Effect<A, StoreUnavailable, R> =>
  Effect.withFiber((fiber) => {
    const unit = fiber.getRef(Current)
    return unit === undefined ? self : Effect.tapCause(self, (cause) =>
      Effect.sync(() => {
        unit.broken = cause
      }))
  })
