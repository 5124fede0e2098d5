// fails: b - names the right layers, but from the status, which several layers can send
import type { Answer, captures } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof captures]: Answer } = {
  lost: { layer: "Dns", evidence: "error" },
  heavy: { layer: "Proxy", evidence: "status" },
  broken: { layer: "Proxy", evidence: "status" },
  wrong: { layer: "Validation", evidence: "status" },
  missing: { layer: "Router", evidence: "status" },
  slow: { layer: "Balancer", evidence: "status" }
}
