/**
 * 03.1 Read the schedule
 *
 * `programs.ts` holds six schedules. Each one repeats a call that takes 30 ms and fails. When does each attempt begin, in
 * milliseconds from the first one? The first is always at 0. Five attempts are enough; a schedule that ends earlier has
 * fewer.
 *
 * A schedule is asked when an attempt has ended, and its wait begins there. `fixed` waits for the next point of its grid
 * instead; the grid begins where it was asked for the first time.
 *
 * Do
 * 1. Write the numbers down, before you run anything.
 * 2. Run the check. Where you were wrong, say why before you correct it.
 *
 * Check: `npm run learn`. Run them: `npx tsx workspace/03-retries/01-read-the-schedule/exercise.ts`, when all
 * predictions are written down. The machine's own timers add a few milliseconds.
 */
import { Effect } from "effect"
import { schedules, starts } from "./programs.ts"

type Name = keyof typeof schedules

export const predictions: { readonly [name in Name]: ReadonlyArray<number> } = {
  exponential: [0],
  spaced: [0],
  fixed: [0],
  upTo: [0],
  max: [0],
  library: [0]
}

if (import.meta.main) {
  const names = Object.keys(schedules) as Array<Name>
  const open = names.filter((name) => predictions[name].length < 2)
  if (open.length > 0) console.log(`Write down first what these do: ${open.join(", ")}.`)
  else {
    const seen = await Effect.runPromise(Effect.forEach(names, starts, { concurrency: "unbounded" }))
    names.forEach((name, index) => {
      console.log(`${name}\n  predicted  ${predictions[name].join(", ")}\n  seen       ${seen[index]?.join(", ")}`)
    })
  }
}
