// fails: b - reads headers only in the casing that it has seen
import { Option, Schema } from "effect"
import { Stage } from "effect-lifecycle/lifecycle"
import * as Diagnosis from "effect-lifecycle/lifecycle/Diagnosis"
import type { Capture, Layer } from "../captures.ts"

const Problem = Schema.fromJsonString(Schema.Struct({ stage: Stage.StageName }))
const readProblem = Schema.decodeUnknownOption(Problem)

const header = (capture: Capture, name: string): string =>
  Object.entries(capture.headers ?? {}).find(([key]) => key === name)?.[1].toLowerCase() ?? ""

const clientSaid = (error: string): Layer => {
  if (/resolve host|ENOTFOUND/.test(error)) return "Dns"
  if (/refused/i.test(error)) return "Connect"
  if (/SSL|certificate/i.test(error)) return "Tls"
  return "unknown"
}

const applicationSaid = (body: string): Layer =>
  Option.match(readProblem(body), { onNone: () => "unknown", onSome: ({ stage }) => stage })

export const diagnose = (capture: Capture): Layer => {
  if (capture.status === undefined) return clientSaid(capture.error ?? "")
  const format = header(capture, "content-type")
  const server = header(capture, "server")
  const body = capture.body ?? ""
  if (server.startsWith("awselb")) return "Balancer"
  if (format.includes("json")) return applicationSaid(body)
  if (format.includes("html") && server === "nginx") return "Proxy"
  if (capture.status === 499) return "Response"
  if (capture.status === 408 && body === "" && server === "") return "Server"
  return "unknown"
}

export const secondOpinion = (capture: Capture): Layer => {
  const { verdict } = Diagnosis.diagnose(
    capture.status === undefined
      ? { _tag: "Curl", text: capture.error ?? "" }
      : { _tag: "Response", status: capture.status, headers: capture.headers ?? {}, body: capture.body }
  )
  return verdict === "undecided" ? "unknown" : verdict
}
