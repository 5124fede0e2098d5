/** Waiting for a condition that synchronous code makes true. */
import { Effect } from "effect"

export class Signal {
  private readonly listeners = new Set<() => void>()

  /** Lets everybody who waits look at their condition again. */
  readonly notify = (): void => {
    for (const listener of this.listeners) listener()
  }

  /** Waits until `holds` is true. The first look and the registration are one step, so that no change falls between. */
  readonly until = (holds: () => boolean): Effect.Effect<void> =>
    Effect.callback((resume) => {
      if (holds()) {
        resume(Effect.void)
        return
      }
      const listener = () => {
        if (!holds()) return
        this.listeners.delete(listener)
        resume(Effect.void)
      }
      this.listeners.add(listener)
      return Effect.sync(() => {
        this.listeners.delete(listener)
      })
    })
}
