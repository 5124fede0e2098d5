/**
 * 06.1 Draw the onion
 *
 * A middleware stands around what comes next, so several of them are an onion: the request goes in through all of them, the
 * answer comes out in reverse. Which one is outermost decides who may refuse first, who sees a 404, and whose work is in
 * vain. Effect has four ways to put them together, and they do not agree.
 *
 * `onions.ts` holds seven small servers with the layers A and B. A says `A>` on the way in and `<A` on the way out. With A
 * outermost a request is heard as `A> B> handler <B <A`.
 *
 * Do
 * 1. Write down what each server says, before you run anything. The words are `A>`, `B>`, `handler`, `<B` and `<A`.
 * 2. `stack`: put `RequestIds`, `Authentication`, `limitByUser` and `limitByAddress` in the order in which a `ServerStack`
 *    has them, outermost first.
 * 3. Run the check. Where you were wrong, find the sentence of the lesson that explains it.
 *
 * Check: `npm run learn`. Run them: `npx tsx workspace/06-middleware-and-ids/01-draw-the-onion/exercise.ts`, when
 * all predictions are written down.
 */
import { Effect } from "effect"
import { type onions, run, stack } from "./onions.ts"

type Name = keyof typeof onions

export const predictions: { readonly [name in Name | "stack"]: string } = {
  global: "",
  globalLater: "",
  provided: "",
  listed: "",
  combined: "",
  failing: "",
  guarded: "",
  stack: ""
}

if (import.meta.main) {
  const names = Object.keys(predictions) as Array<keyof typeof predictions>
  const open = names.filter((name) => predictions[name] === "")
  if (open.length > 0) console.log(`Write down first what these say: ${open.join(", ")}.`)
  else {
    for (const name of names) {
      const seen = name === "stack" ? stack().join(" ") : await Effect.runPromise(run(name))
      console.log(`${name}\n  predicted  ${predictions[name]}\n  seen       ${seen}`)
    }
  }
}
