// fails: a - blames the code that was deployed last
import type { Answer, captures } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof captures]: Answer } = {
  lost: { layer: "Handler", evidence: "status" },
  heavy: { layer: "Handler", evidence: "status" },
  broken: { layer: "Handler", evidence: "status" },
  wrong: { layer: "Handler", evidence: "status" },
  missing: { layer: "Handler", evidence: "status" },
  slow: { layer: "Handler", evidence: "status" }
}
