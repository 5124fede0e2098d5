/**
 * 02.1 Who is interrupted?
 *
 * `programs.ts` holds four programs that belong to placing an order. Each one gets a second, by `Deadline.within`. Read
 * them. What do they say, in which order, and at which second? A line looks like this: `"1 s: gave up"`.
 *
 * The words are: gave up, lease given back, charged, not charged, written. Not every program says all of them.
 *
 * Do
 * 1. Write down the lines of each program, before you run anything.
 * 2. Run the check. Where you were wrong, find the sentence of the lesson that explains it.
 *
 * Check: `npm run learn`. Run them: `npx tsx workspace/02-deadlines/01-who-is-interrupted/exercise.ts`, when all
 * predictions are written down.
 */
import { Effect } from "effect"
import { programs, run } from "./programs.ts"

type Name = keyof typeof programs

export const predictions: { readonly [name in Name]: ReadonlyArray<string> } = {
  locked: [],
  deaf: [],
  listening: [],
  writing: []
}

if (import.meta.main) {
  const names = Object.keys(programs) as Array<Name>
  const open = names.filter((name) => predictions[name].length === 0)
  if (open.length > 0) console.log(`Write down first what these say: ${open.join(", ")}.`)
  else {
    const seen = await Effect.runPromise(Effect.forEach(names, run, { concurrency: "unbounded" }))
    names.forEach((name, index) => {
      console.log(`${name}\n  predicted  ${predictions[name].join(", ")}\n  seen       ${seen[index]?.join(", ")}`)
    })
  }
}
