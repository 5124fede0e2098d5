/** Rules for answers that name their stage, or that the application's server or framework wrote without the application. */
import { type FailureId, forStage } from "../../Failure.ts"
import { get, StageName } from "../../Stage.ts"
import { property, type ResponseFacts } from "./responseFacts.ts"
import type { Rule } from "./rule.ts"
import * as Speaker from "./speaker.ts"

const isStageName = (value: unknown): value is StageName =>
  typeof value === "string" && (StageName.literals as ReadonlyArray<string>).includes(value)

/** The stage that a problem names for itself. */
const namedStage = (facts: ResponseFacts): StageName | undefined => {
  const stage = property(facts.json, "stage")
  return isStageName(stage) ? stage : undefined
}

/**
 * The row that a problem means: the one its type ends with most of, else the only one of its stage with its status, else the
 * one of these that shares a word with the type, as `host-refused` does with `bad-host`.
 */
const namedFailure = (facts: ResponseFacts): FailureId | undefined => {
  const stage = namedStage(facts)
  if (stage === undefined) return undefined
  const given = property(facts.json, "type")
  const type = typeof given === "string" ? given.slice(0, 256) : ""
  const name = (id: FailureId) => id.slice(stage.length + 1)
  const candidates = forStage(stage)
  // `method-refused` ends with `refused` too: the longest name is meant.
  const byType = candidates.filter(({ id }) => type.endsWith(name(id))).toSorted((a, b) => b.id.length - a.id.length)
  if (byType[0] !== undefined) return byType[0].id
  const byStatus = candidates.filter((failure) => failure.status === facts.status)
  if (byStatus.length === 1) return byStatus[0]?.id
  const words = new Set(type.split(/[^a-z]+/))
  const byWord = byStatus.filter(({ id }) => name(id).split("-").some((word) => words.has(word)))
  return byWord.length === 1 ? byWord[0]?.id : undefined
}

/** A short text that a framework writes where the application declared nothing. */
const isFrameworkText = (facts: ResponseFacts): boolean =>
  facts.format === "text" && !Speaker.isBalancerServer(facts) && facts.text.length < 200

/** Node writes this answer to the socket itself: no server, no date, no body, and the connection ends. */
const isBareNode = (facts: ResponseFacts): boolean =>
  (facts.status === 400 || facts.status === 408 || facts.status === 431) &&
  (facts.format === "empty" || facts.format === "unknown") && facts.header("connection") === "close" &&
  !["server", "content-type", "via", "x-request-id"].some(facts.has)

const bareNodeFailure = (facts: ResponseFacts): FailureId =>
  facts.status === 408
    ? "server-request-timeout"
    : facts.status === 431
    ? "server-headers-too-large"
    : "server-malformed-request"

const named: ReadonlyArray<Rule<ResponseFacts>> = [
  {
    when: (facts) => facts.format === "problem" && namedStage(facts) !== undefined,
    stage: (facts) => namedStage(facts) ?? "Handler",
    failure: namedFailure,
    confidence: "certain",
    reached: (facts) => get(namedStage(facts) ?? "Handler").side === "server",
    evidence: (facts) => `The problem names its stage itself: "stage": "${namedStage(facts)}".`
  }
]

const serverRules: ReadonlyArray<Rule<ResponseFacts>> = [
  {
    when: isBareNode,
    stage: "Server",
    failure: bareNodeFailure,
    confidence: "certain",
    reached: true,
    evidence: (facts) =>
      `A bare ${facts.status} with Connection: close and no body, Server or Content-Type: Node's parser wrote it before any code ran.`
  },
  {
    when: (facts) => facts.status === 400 && facts.text.startsWith("invalid http request received"),
    stage: "Server",
    failure: "server-malformed-request",
    confidence: "certain",
    reached: true,
    evidence: "The text is the one that Uvicorn's HTTP parser writes before any code of the application runs."
  }
]

const frameworkTexts: ReadonlyArray<Rule<ResponseFacts>> = [
  {
    when: (facts) =>
      facts.status === 400 && isFrameworkText(facts) && /^(?:invalid host|host not allowed)/.test(facts.text),
    stage: "Middleware",
    failure: "middleware-bad-host",
    confidence: "certain",
    reached: true,
    evidence: "The text speaks of the Host header, which a trusted-host middleware checks."
  },
  {
    when: (facts) => isFrameworkText(facts) && /^disallowed cors|cors.*(?:not allowed|disallowed)/.test(facts.text),
    stage: "Middleware",
    failure: "middleware-origin-rejected",
    confidence: "certain",
    reached: true,
    evidence: "The text is a CORS middleware's refusal of a preflight."
  },
  {
    when: (facts) =>
      facts.status === 404 &&
      (isFrameworkText(facts) && facts.text === "not found" || /<pre>cannot [a-z]+ \//.test(facts.text)),
    stage: "Router",
    failure: "router-path-not-found",
    confidence: "likely",
    reached: true,
    evidence: "The body is a framework's default words for a path without a route, not a proxy's page."
  },
  {
    when: (facts) => facts.status === 405 && facts.has("allow") && facts.format !== "html",
    stage: "Router",
    failure: "router-method-not-allowed",
    confidence: "certain",
    reached: true,
    evidence: (facts) => `405 with Allow: ${facts.header("allow")}: only a router knows which methods a path has.`
  },
  {
    when: (facts) => facts.status === 500 && isFrameworkText(facts) && facts.text.startsWith("internal server error"),
    stage: "Handler",
    failure: "handler-unhandled-exception",
    confidence: "likely",
    reached: true,
    evidence:
      "Plain text `Internal Server Error` is a framework's last resort for an exception; a proxy would send a page."
  },
  {
    when: (facts) =>
      facts.status === 500 && facts.format === "html" && Speaker.isApplicationServer(facts) &&
      !Speaker.isNginxPage(facts),
    stage: "Handler",
    failure: "handler-unhandled-exception",
    confidence: "likely",
    reached: true,
    evidence: "The page comes from the application's framework, which its headers name."
  },
  {
    when: (facts) =>
      facts.status === 401 && facts.has("www-authenticate") && facts.format !== "html" &&
      !Speaker.isApplicationJson(facts),
    stage: "Security",
    failure: "security-invalid-token",
    confidence: "likely",
    reached: true,
    evidence: (facts) => `401 with the challenge ${facts.header("www-authenticate").split(" ")[0]} and no proxy's page.`
  }
]

export const frameworkRules: ReadonlyArray<Rule<ResponseFacts>> = [...named, ...serverRules, ...frameworkTexts]
