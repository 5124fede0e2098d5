/** Deleting what is old in statements of a bounded size, so that none holds its locks for long. */
import { Effect } from "effect"

/** Rows of one statement. */
export const pruneBatch = 5000

/** Repeats a statement that deletes up to {@link pruneBatch} rows until none are left; answers how many there were. */
export const wholly = <E>(some: Effect.Effect<number, E>): Effect.Effect<number, E> =>
  Effect.gen(function*() {
    let total = 0
    while (true) {
      const pruned = yield* some
      total += pruned
      if (pruned < pruneBatch) return total
    }
  })
