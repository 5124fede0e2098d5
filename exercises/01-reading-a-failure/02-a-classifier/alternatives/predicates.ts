// A list of predicates in the order in which they may decide.
import { Stage } from "effect-lifecycle/lifecycle"
import * as Diagnosis from "effect-lifecycle/lifecycle/Diagnosis"
import type { Capture, Layer } from "../captures.ts"

interface Facts {
  readonly error: string
  readonly status: number
  readonly server: string
  readonly html: boolean
  readonly stage: Stage.StageName | undefined
}

const stageOf = (text: string): Stage.StageName | undefined => {
  try {
    const parsed: unknown = JSON.parse(text)
    const stage = typeof parsed === "object" && parsed !== null && "stage" in parsed ? parsed.stage : undefined
    return Stage.StageName.literals.find((name) => name === stage)
  } catch {
    return undefined
  }
}

const factsOf = (capture: Capture): Facts => {
  const headers = new Map(Object.entries(capture.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    error: capture.error ?? "",
    status: capture.status ?? 0,
    server: headers.get("server") ?? "",
    html: /^\s*<html/i.test(capture.body ?? ""),
    stage: stageOf(capture.body ?? "")
  }
}

const rules: ReadonlyArray<readonly [(facts: Facts) => boolean, Layer]> = [
  [(facts) => facts.error.includes("(6)"), "Dns"],
  [(facts) => facts.error.includes("(7)"), "Connect"],
  [(facts) => facts.error.includes("(60)"), "Tls"],
  [(facts) => facts.server.startsWith("awselb"), "Balancer"],
  [(facts) => facts.server === "nginx" && facts.html, "Proxy"],
  [(facts) => facts.status === 499, "Response"],
  [(facts) => facts.server === "" && facts.status === 408, "Server"]
]

export const diagnose = (capture: Capture): Layer => {
  const facts = factsOf(capture)
  return facts.stage ?? rules.find(([holds]) => holds(facts))?.[1] ?? "unknown"
}

export const secondOpinion = (capture: Capture): Layer => {
  const { verdict } = Diagnosis.diagnose(
    capture.status === undefined
      ? { _tag: "Curl", text: capture.error ?? "" }
      : { _tag: "Response", status: capture.status, headers: capture.headers ?? {}, body: capture.body }
  )
  return verdict === "undecided" ? "unknown" : verdict
}
