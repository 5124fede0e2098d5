// fails: b - thinks that whoever is no longer waited for stops
import type { programs } from "../programs.ts"

export const predictions: { readonly [name in keyof typeof programs]: ReadonlyArray<string> } = {
  locked: ["1 s: lease given back", "1 s: gave up"],
  deaf: ["1 s: gave up"],
  listening: ["1 s: not charged", "1 s: gave up"],
  writing: ["2 s: written", "2 s: gave up"]
}
