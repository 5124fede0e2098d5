// fails: a - refines the table instead of reading the evidence
import * as Diagnosis from "effect-lifecycle/lifecycle/Diagnosis"
import type { Capture, Layer } from "../captures.ts"

const clientSaid = (error: string): Layer => {
  if (/resolve host|ENOTFOUND/.test(error)) return "Dns"
  if (/refused/i.test(error)) return "Connect"
  if (/SSL|certificate/i.test(error)) return "Tls"
  return "unknown"
}

export const diagnose = (capture: Capture): Layer => {
  if (capture.status === undefined) return clientSaid(capture.error ?? "")
  const layers: Record<number, Layer> = {
    404: "Router",
    408: "Server",
    499: "Response",
    500: "Handler",
    503: "Middleware"
  }
  return layers[capture.status] ?? "unknown"
}

export const secondOpinion = (capture: Capture): Layer => {
  const { verdict } = Diagnosis.diagnose(
    capture.status === undefined
      ? { _tag: "Curl", text: capture.error ?? "" }
      : { _tag: "Response", status: capture.status, headers: capture.headers ?? {}, body: capture.body }
  )
  return verdict === "undecided" ? "unknown" : verdict
}
