// fails: b - trusts the Server header, which nginx puts on what it only passes on, too
import type { Answer, captures } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof captures]: Answer } = {
  lost: { layer: "Dns", evidence: "error" },
  heavy: { layer: "Proxy", evidence: "server" },
  broken: { layer: "Proxy", evidence: "server" },
  wrong: { layer: "Validation", evidence: "body" },
  missing: { layer: "Router", evidence: "body" },
  slow: { layer: "Balancer", evidence: "server" }
}
