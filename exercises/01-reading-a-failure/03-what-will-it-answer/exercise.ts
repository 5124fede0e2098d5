/**
 * 01.3 What will it answer?
 *
 * `app.ts` holds an application of thirty lines, and ten requests. It is served twice: by Effect's own router with nothing
 * around it (`bare`), and by this library's stack around the same routes (`stack`). A middleware stands around every route;
 * it has a part after the handler, which is plain code behind the handler's answer and not a finalizer.
 *
 * Read `app.ts` as far as the list of requests. For each request say
 * - `bare` and `stack`: the status that each of the two servers answers with,
 * - `handler`: whether the handler of a route ran,
 * - `after`: whether the middleware's part after the handler ran, on the bare router.
 *
 * Do
 * 1. Fill in `predictions`, before you run anything. `0` and `"todo"` are not answers.
 * 2. Run the check. Where you were wrong, find the sentence of the lesson that explains it.
 *
 * Check: `npm run learn`. Run it: `npx tsx workspace/01-reading-a-failure/03-what-will-it-answer/exercise.ts`, when
 * all predictions are written down.
 */
import { Effect } from "effect"
import { requests, run } from "./app.ts"

/** What one request does. */
export interface Prediction {
  readonly bare: number
  readonly stack: number
  readonly handler: boolean | "todo"
  readonly after: boolean | "todo"
}

export const predictions: { readonly [name in keyof typeof requests]: Prediction } = {
  found: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  missing: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  misspelled: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  wrongMethod: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  noFields: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  cutOff: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  aForm: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  bug: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  undeclared: { bare: 0, stack: 0, handler: "todo", after: "todo" },
  stopped: { bare: 0, stack: 0, handler: "todo", after: "todo" }
}

if (import.meta.main) {
  const names = Object.keys(requests) as Array<keyof typeof requests>
  const open = names.filter((name) => {
    const { after, bare, handler, stack } = predictions[name]
    return bare === 0 || stack === 0 || handler === "todo" || after === "todo"
  })
  if (open.length > 0) console.log(`Write down first what these do: ${open.join(", ")}.`)
  else {
    const seen = await Effect.runPromise(run)
    for (const name of names) {
      console.log(
        `${name}\n  predicted  ${JSON.stringify(predictions[name])}\n  seen       ${JSON.stringify(seen[name])}`
      )
    }
  }
}
