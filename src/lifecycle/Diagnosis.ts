/**
 * Says which stage of the road a failure comes from, and which piece of evidence decided.
 *
 * Give it what you have: text pasted from curl, an error of Node or of Effect's `HttpClient`, or a response's status,
 * headers and body. It applies a list of independent rules, each with the sentence of evidence that it stands on, and
 * ranks what holds: `certain` before `likely` before `possible`. The verdict is the first finding that is at least likely;
 * with possibilities alone it is `undecided`, because a status without evidence has several authors.
 *
 * The general discriminators: no HTTP at all means before the proxy; an HTML page is a proxy's or balancer's, JSON is the
 * application's (whatever `Server` says, as a proxy signs what it forwards); a problem with a `stage` member names its own
 * stage.
 *
 * It is a pure function: no clock, no network, and it never throws, whatever it is given.
 *
 * **Gotchas**
 *
 * - A proxy shows the same 502 page for an application that is not running and for one that crashed in the middle. Add
 *   the line of the proxy's error log (`log`, or paste it below the curl text) and the two are told apart.
 * - `reached` says whether bytes of the request are known to have arrived in the application's process; `false` for an
 *   undecided diagnosis means only that nothing proves it.
 *
 * @example
 * ```ts
 * import { Diagnosis } from "effect-lifecycle/lifecycle"
 * import assert from "node:assert/strict"
 *
 * const page = "<html><body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body></html>"
 * const headers = { Server: "nginx", "Content-Type": "text/html" }
 * assert.equal(Diagnosis.diagnose({ _tag: "Response", status: 404, headers, body: page }).verdict, "Proxy")
 *
 * const json = { Server: "nginx", "Content-Type": "application/json" }
 * const body = "{\"detail\":\"Not Found\"}"
 * assert.equal(Diagnosis.diagnose({ _tag: "Response", status: 404, headers: json, body }).verdict, "Router")
 *
 * assert.equal(Diagnosis.diagnose({ _tag: "Response", status: 404, headers: {} }).verdict, "undecided")
 * ```
 *
 * @since 0.1.0
 */
import type { HttpClientError } from "effect/http"
import type { FailureId } from "./Failure.ts"
import * as Curl from "./internal/diagnosis/curl.ts"
import { curlRules } from "./internal/diagnosis/curlRules.ts"
import { errorFacts } from "./internal/diagnosis/errorFacts.ts"
import { errorRules } from "./internal/diagnosis/errorRules.ts"
import { frameworkRules } from "./internal/diagnosis/frameworkRules.ts"
import { gatewayRules } from "./internal/diagnosis/gatewayRules.ts"
import { jsonRules } from "./internal/diagnosis/jsonRules.ts"
import { property, responseFacts, type ResponseInput } from "./internal/diagnosis/responseFacts.ts"
import { merge, rank, type Ranked } from "./internal/diagnosis/rule.ts"
import { statusRules } from "./internal/diagnosis/statusRules.ts"
import type { StageName } from "./Stage.ts"

/**
 * Headers in any of the shapes they come in; names are compared without regard to case.
 *
 * @category models
 * @since 0.1.0
 */
export type HeadersInput =
  | Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  | Iterable<readonly [string, string]>

/**
 * What curl printed, with `-v`, `-i` or neither; lines of the proxy's error log may stand in the same text.
 *
 * @category models
 * @since 0.1.0
 */
export interface CurlEvidence {
  readonly _tag: "Curl"
  readonly text: string
  readonly exitCode?: number | undefined
}

/**
 * An error with a code, as Node's sockets, its DNS, its TLS and its fetch raise it, with the causes below it.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeErrorEvidence {
  readonly _tag: "NodeError"
  readonly code?: string | undefined
  readonly message?: string | undefined
  readonly syscall?: string | undefined
  readonly name?: string | undefined
  readonly cause?: unknown
  readonly errors?: ReadonlyArray<unknown> | undefined
  /** Lines of a gateway's log that belong to this request: some gateways close without an answer. */
  readonly log?: string | undefined
}

/**
 * An error of Effect's `HttpClient`: its reason, its chain of causes, and the response where there is one.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpClientErrorEvidence {
  readonly _tag: "HttpClientError"
  readonly error: HttpClientError.HttpClientError
}

/**
 * A response. An absent `body` means that it was not captured; `""` means that it was empty.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResponseEvidence {
  readonly _tag: "Response"
  readonly status: number
  readonly headers: HeadersInput
  /** Text, or JSON that is parsed already. */
  readonly body?: unknown
  /** The words beside the status, where the protocol has them. */
  readonly reason?: string | undefined
  /** Lines of a gateway's log that belong to this response. */
  readonly log?: string | undefined
}

/**
 * Everything that can be diagnosed.
 *
 * @category models
 * @since 0.1.0
 */
export type Evidence = CurlEvidence | NodeErrorEvidence | HttpClientErrorEvidence | ResponseEvidence

/**
 * How far the evidence carries. Only `certain` and `likely` decide.
 *
 * @category models
 * @since 0.1.0
 */
export type Confidence = "certain" | "likely" | "possible"

/**
 * One stage that may have failed, and why it is suspected.
 *
 * @category models
 * @since 0.1.0
 */
export interface Finding {
  readonly stage: StageName
  /** The row of `Failure`, where the evidence is that exact. */
  readonly failure?: FailureId
  readonly confidence: Confidence
  /** The deciding evidence in words. */
  readonly evidence: string
  readonly advice: string
}

/**
 * The stages that may have failed, the most probable first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Diagnosis {
  readonly ranked: ReadonlyArray<Finding>
  readonly verdict: StageName | "undecided"
  /** Whether bytes of the request are known to have arrived in the application's process. */
  readonly reached: boolean
}

/**
 * What a text pasted from curl holds: its error, and the last response with status, headers and body.
 *
 * @category models
 * @since 0.1.0
 */
export type CurlOutput = Curl.CurlOutput

/**
 * Reads a text pasted from curl.
 *
 * @category parsing
 * @since 0.1.0
 */
export const parseCurl = (text: string): CurlOutput => Curl.parse(text)

const responseRules = [...gatewayRules, ...frameworkRules, ...jsonRules, ...statusRules]

const nothing: Ranked = { findings: [], reached: false }

const ofResponse = (input: ResponseInput): Ranked => rank(responseRules, responseFacts(input))

const ofError = (error: unknown): Ranked => rank(errorRules, errorFacts(error))

const ofCurl = (pasted: unknown, exitCode: unknown): Ranked => {
  const text = typeof pasted === "string" ? pasted : ""
  const output = Curl.parse(text)
  const { connected, log, response } = output
  const spoken = rank(curlRules, {
    exitCode: typeof exitCode === "number" ? exitCode : output.exitCode,
    text: text.slice(0, 65_536).toLowerCase(),
    connected,
    answered: response !== undefined
  })
  if (response === undefined && log === "") return spoken
  return merge(ofResponse({ status: 0, headers: {}, ...response, log }), spoken)
}

const ofHttpClientError = (error: unknown): Ranked => {
  const response = property(error, "response") ?? property(property(error, "reason"), "response")
  const status = property(response, "status")
  const byError = ofError(error)
  if (typeof status !== "number") return byError
  const byResponse = ofResponse({ status, headers: property(response, "headers") })
  return status < 400 ? byError : byResponse
}

/** Evidence may come from outside the types, so each field is read as one that may be missing. */
const ranking = (evidence: unknown): Ranked => {
  const field = (key: string): unknown => property(evidence, key)
  switch (field("_tag")) {
    case "Curl":
      return ofCurl(field("text"), field("exitCode"))
    case "NodeError":
      return field("log") === undefined
        ? ofError(evidence)
        : merge(ofResponse({ status: 0, headers: {}, log: field("log") }), ofError(evidence))
    case "HttpClientError":
      return ofHttpClientError(field("error"))
    case "Response":
      return ofResponse({
        status: field("status"),
        headers: field("headers"),
        body: field("body"),
        reason: field("reason"),
        log: field("log")
      })
  }
  return nothing
}

const conclude = ({ findings, reached }: Ranked): Diagnosis => {
  const first = findings[0]
  const decided = first !== undefined && first.confidence !== "possible"
  return { ranked: findings, verdict: decided ? first.stage : "undecided", reached }
}

/**
 * Ranks the stages that the evidence points to.
 *
 * @category diagnosing
 * @since 0.1.0
 */
export const diagnose = (evidence: Evidence): Diagnosis => conclude(ranking(evidence))

/**
 * Diagnoses whatever was thrown or failed with: an `HttpClientError`, an error with a code, an aggregate, a text of curl.
 *
 * @category diagnosing
 * @since 0.1.0
 */
export const fromUnknown = (error: unknown): Diagnosis => {
  if (typeof error === "string") return diagnose({ _tag: "Curl", text: error })
  return conclude(ofHttpClientError(error))
}

/**
 * Diagnoses a response, such as a web `Response`, with the body where it has been read.
 *
 * @category diagnosing
 * @since 0.1.0
 */
export const fromResponse = (
  response: { readonly status: number; readonly statusText?: string; readonly headers: HeadersInput },
  body?: unknown
): Diagnosis =>
  diagnose({
    _tag: "Response",
    status: response.status,
    headers: response.headers,
    reason: response.statusText,
    body
  })
