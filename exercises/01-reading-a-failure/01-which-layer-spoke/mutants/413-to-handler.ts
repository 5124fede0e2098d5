// fails: a - thinks that whoever reads the body must have refused it
import type { Answer, captures } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof captures]: Answer } = {
  lost: { layer: "Dns", evidence: "error" },
  heavy: { layer: "Handler", evidence: "status" },
  broken: { layer: "Proxy", evidence: "body" },
  wrong: { layer: "Validation", evidence: "body" },
  missing: { layer: "Router", evidence: "body" },
  slow: { layer: "Balancer", evidence: "server" }
}
