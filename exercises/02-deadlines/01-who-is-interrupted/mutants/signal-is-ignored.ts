// fails: a - takes the signal for a decoration
import type { programs } from "../programs.ts"

export const predictions: { readonly [name in keyof typeof programs]: ReadonlyArray<string> } = {
  locked: ["1 s: lease given back", "1 s: gave up"],
  deaf: ["1 s: gave up", "3 s: charged"],
  listening: ["1 s: gave up", "3 s: charged"],
  writing: ["2 s: written", "2 s: gave up"]
}
