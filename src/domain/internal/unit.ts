import { type Cause, Context, Effect } from "effect"
import type { StoreUnavailable } from "../../store/UnitOfWork.ts"

/** What a unit of several commands must not commit: the cause of a command that failed after it had begun to write. */
export interface Unit {
  broken: Cause.Cause<StoreUnavailable> | undefined
}

export const Current = Context.Reference<Unit | undefined>("effect-lifecycle/domain/Domain/Unit", {
  defaultValue: () => undefined
})

/** A unit that goes on after such a failure fails with its cause in the end, so that no half of a command is kept. */
export const whole = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | StoreUnavailable, R> =>
  Effect.withFiber((fiber) => {
    const unit: Unit = fiber.getRef(Current) ?? { broken: undefined }
    return Effect.tap(
      Effect.provideService(self, Current, unit),
      () => unit.broken === undefined ? Effect.void : Effect.failCause(unit.broken)
    )
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
