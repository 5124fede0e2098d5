// The body's format is enough where the neighbour speaks another one.
import type { Answer, captures } from "../exercise.ts"

export const answers: { readonly [name in keyof typeof captures]: Answer } = {
  lost: { layer: "Dns", evidence: "error" },
  heavy: { layer: "Proxy", evidence: "contentType" },
  broken: { layer: "Proxy", evidence: "contentType" },
  wrong: { layer: "Validation", evidence: "body" },
  missing: { layer: "Router", evidence: "body" },
  slow: { layer: "Balancer", evidence: "server" }
}
