// fails: a - takes 502 for the balancer's and 504 for the proxy's, by the number alone
import type { Answer, captures } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof captures]: Answer } = {
  lost: { layer: "Dns", evidence: "error" },
  heavy: { layer: "Proxy", evidence: "body" },
  broken: { layer: "Balancer", evidence: "server" },
  wrong: { layer: "Validation", evidence: "body" },
  missing: { layer: "Router", evidence: "body" },
  slow: { layer: "Proxy", evidence: "body" }
}
