/** Processes and sockets run on the real clock, also inside a test whose clock stands still. */
import { Clock, Effect } from "effect"

const realClock = Clock.Clock.defaultValue()

export const inRealTime = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Clock.Clock, realClock)
