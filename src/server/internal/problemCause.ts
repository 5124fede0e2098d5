/**
 * From a cause to a problem: which of its reasons counts, and what it means to the client.
 */
import { type Cause, Schema, SchemaIssue } from "effect"
import { HttpServerError, HttpServerResponse } from "effect/http"
import { HttpApiError } from "effect/http-api"
import type * as Exchange from "../Exchange.ts"
import type { Problem } from "../Problems.ts"
import { hitOf } from "./deadlineWatch.ts"
import * as listenerHit from "./listenerHit.ts"
import * as documents from "./problemDocument.ts"
import { NotUtf8 } from "./textRequest.ts"

export interface Answer {
  readonly problem: Problem
  /** A response that was thrown as a defect, which is how `effect/http` leaves early. */
  readonly response?: HttpServerResponse.HttpServerResponse
  /** Whether the operator should hear of it. */
  readonly defect: boolean
}

export const answer = (
  cause: Cause.Cause<unknown>,
  describe: (error: unknown) => Problem | undefined,
  escalated: (defect: unknown) => { readonly error: unknown } | undefined
): Answer => {
  let interrupted: "client" | "server" | undefined
  for (const reason of cause.reasons) {
    switch (reason._tag) {
      case "Fail":
        return known(reason.error, describe)
      case "Die": {
        if (HttpServerResponse.isHttpServerResponse(reason.defect)) {
          return { problem: internal, response: reason.defect, defect: false }
        }
        const sent = escalated(reason.defect)
        if (sent !== undefined) return known(sent.error, describe)
        const problem = ofEffectError(reason.defect)
        return problem === undefined ? { problem: internal, defect: true } : { problem, defect: problem.status >= 500 }
      }
      case "Interrupt": {
        const hit = hitOf(reason)
        if (hit !== undefined) return known(hit, describe)
        const refused = listenerHit.hitOf(reason)
        if (refused !== undefined) return { problem: refused, defect: false }
        interrupted = reason.annotations.has(HttpServerError.ClientAbort.key) ? "client" : interrupted ?? "server"
      }
    }
  }
  return { problem: interrupted === "client" ? clientGone : shuttingDown, defect: false }
}

const known = (error: unknown, describe: (error: unknown) => Problem | undefined): Answer => {
  const problem = describe(error) ?? ofEffectError(error)
  return problem === undefined ? { problem: internal, defect: true } : { problem, defect: false }
}

/** The errors of `effect` itself, which mean the same whether they failed or died. */
const ofEffectError = (error: unknown): Problem | undefined => {
  if (HttpServerError.isHttpServerError(error)) {
    const { reason } = error
    switch (reason._tag) {
      case "RouteNotFound":
        return notFound
      case "RequestParseError":
        if (reason.reason === "BodyTooLarge") return tooLarge
        return reason.cause instanceof NotUtf8 ? notUtf8 : unreadable("The body could not be read")
      default:
        return undefined
    }
  }
  if (HttpApiError.HttpApiSchemaError.is(error)) {
    if (error.kind === "Body" || error.kind === "ResponseHeaders") return undefined
    return isBrokenJson(error.cause.issue) ? brokenJson : invalid(error.cause.issue, places[error.kind])
  }
  if (HttpApiError.HttpApiPayloadTooLarge.is(error)) return tooLarge
  if (Schema.isSchemaError(error)) return isBrokenJson(error.issue) ? brokenJson : invalid(error.issue, undefined)
  return undefined
}

const places = { Params: "path", Query: "query", Headers: "header", Payload: "body" } as const

const isBrokenJson = (issue: SchemaIssue.Issue): boolean =>
  issue._tag === "InvalidValue" && formatIssues(issue).issues[0]?.message === "Expected a valid JSON body"

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

export const invalidRequest = { status: 422, title: "The request is not valid" }

const invalid = (issue: SchemaIssue.Issue, place: string | undefined): Problem => {
  const errors = formatIssues(issue).issues.map((found) => ({
    detail: found.message,
    pointer: pointerOf(found.path ?? []),
    ...(place === undefined ? {} : { in: place })
  }))
  return documents.make({
    tag: "InvalidRequest",
    ...invalidRequest,
    stage: "Validation",
    detail: errors.length === 1 ? "One field is wrong" : `${errors.length} fields are wrong`,
    extensions: { errors }
  })
}

/** RFC 6901. The whole document is the empty string. */
const pointerOf = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>): string =>
  path.map((segment) => {
    const key = typeof segment === "object" ? segment.key : segment
    return `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`
  }).join("")

const notFound = documents.make({ tag: "RouteNotFound", status: 404, title: "Not found", stage: "Router" })

const tooLarge = documents.make({
  tag: "BodyTooLarge",
  status: 413,
  title: "Content too large",
  stage: "Validation",
  headers: { connection: "close" }
})

const unreadable = (detail: string): Problem =>
  documents.make({
    tag: "MalformedRequest",
    status: 400,
    title: "The request could not be read",
    stage: "Validation",
    detail
  })

const notUtf8 = unreadable("The body is not valid UTF-8")

export const brokenJson = unreadable("The body is not valid JSON")

export const internal = documents.make({
  tag: "InternalError",
  status: 500,
  title: "Internal server error",
  stage: "Handler"
})

const clientGone = documents.make({ tag: "ClientGone", status: 499, title: "The client has left", stage: "Response" })

export const shuttingDown = documents.make({
  tag: "ShuttingDown",
  status: 503,
  title: "The server is shutting down",
  stage: "Server",
  headers: { "retry-after": "1" }
})

const titles: Readonly<Record<number, readonly [title: string, stage: Problem["stage"]]>> = {
  400: ["The request could not be read", "Validation"],
  401: ["Unauthorized", "Security"],
  403: ["Forbidden", "Security"],
  404: ["Not found", "Handler"],
  405: ["Method not allowed", "Router"],
  406: ["Not acceptable", "Validation"],
  413: ["Content too large", "Validation"],
  415: ["Unsupported media type", "Validation"],
  422: ["The request is not valid", "Validation"],
  426: ["Upgrade required", "Middleware"],
  503: ["Service unavailable", "Handler"],
  504: ["The deadline has passed", "Middleware"]
}

/**
 * Gives an empty or plain-text error response, such as those `effect/http-api` makes itself, its problem document.
 * A response whose body means something keeps it.
 */
export const complete = (
  response: HttpServerResponse.HttpServerResponse,
  exchange: Exchange.State
): HttpServerResponse.HttpServerResponse => {
  if (response.status < 400) return response
  const type = response.headers["content-type"] ?? ""
  if (response.body._tag !== "Empty" && !type.startsWith("text/plain")) return response
  const [title, stage] = titles[response.status] ??
    [response.status >= 500 ? "Internal server error" : "The request failed", "Handler"] as const
  const { "content-length": _length, "content-type": _type, ...headers } = response.headers
  const problem: Problem = {
    status: response.status,
    stage,
    headers,
    document: { type: "about:blank", title, status: response.status }
  }
  return documents.respond(problem, exchange)
}
