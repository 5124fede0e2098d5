import { Schema } from "effect"

export const StageName = Schema.Literals([
  "Dns",
  "Connect",
  "Tls",
  "Send",
  "Balancer",
  "Proxy",
  "Accept",
  "Server",
  "Middleware",
  "Security",
  "Router",
  "Dependencies",
  "Validation",
  "Handler",
  "Response"
])
export type StageName = typeof StageName.Type
