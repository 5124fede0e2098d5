// fails: b - thinks that a deadline cuts everything
import type { programs } from "../programs.ts"

export const predictions: { readonly [name in keyof typeof programs]: ReadonlyArray<string> } = {
  locked: ["1 s: lease given back", "1 s: gave up"],
  deaf: ["1 s: gave up", "3 s: charged"],
  listening: ["1 s: not charged", "1 s: gave up"],
  writing: ["1 s: gave up"]
}
