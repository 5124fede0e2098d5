// fails: a - every 404 looks like a missing file of the proxy
import type { Answer, captures } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof captures]: Answer } = {
  lost: { layer: "Dns", evidence: "error" },
  heavy: { layer: "Proxy", evidence: "body" },
  broken: { layer: "Proxy", evidence: "body" },
  wrong: { layer: "Validation", evidence: "body" },
  missing: { layer: "Proxy", evidence: "server" },
  slow: { layer: "Balancer", evidence: "server" }
}
