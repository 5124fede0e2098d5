/** Durations as whole milliseconds that a database's clock can add. */
import { Duration } from "effect"

/** A hundred years: as good as for ever, and inside every timestamp's range. */
const longest = 100 * 365 * 24 * 60 * 60 * 1000

export const millisOf = (duration: Duration.Input): number =>
  Math.min(longest, Math.max(0, Math.round(Duration.toMillis(Duration.fromInputUnsafe(duration)))))
