/** What is left to say when nothing but the status line is known. */
import type { FailureId } from "../../Failure.ts"
import type { StageName } from "../../Stage.ts"
import type { ResponseFacts } from "./responseFacts.ts"
import type { Rule } from "./rule.ts"
import * as Speaker from "./speaker.ts"

/** Neither body nor headers give an author away. */
const isSilent = (facts: ResponseFacts): boolean =>
  (facts.format === "unknown" || facts.format === "empty") && !Speaker.isApplicationServer(facts)

/** Who may speak a status, the most usual first. It proves nothing, and so it never decides. */
const speakers: { readonly [status: number]: ReadonlyArray<readonly [StageName, FailureId?]> } = {
  400: [["Validation", "validation-malformed-json"], ["Server", "server-malformed-request"], ["Middleware"], [
    "Proxy",
    "proxy-bad-request"
  ]],
  401: [["Security", "security-invalid-token"], ["Dependencies"], ["Proxy", "proxy-login-required"]],
  403: [["Dependencies", "dependencies-not-permitted"], ["Security", "security-forbidden"], ["Proxy", "proxy-refused"]],
  404: [["Router", "router-path-not-found"], ["Handler", "handler-not-found"], ["Proxy", "proxy-not-found"]],
  405: [["Router", "router-method-not-allowed"], ["Proxy", "proxy-method-refused"]],
  406: [["Validation", "validation-not-acceptable"]],
  408: [["Server", "server-request-timeout"], ["Proxy", "proxy-request-timeout"], ["Balancer"]],
  409: [["Handler", "handler-conflict"], ["Dependencies", "dependencies-already-running"]],
  412: [["Dependencies", "dependencies-version-stale"]],
  413: [["Proxy", "proxy-body-too-large"], ["Validation", "validation-body-too-large"]],
  414: [["Proxy", "proxy-uri-too-long"], ["Server", "server-uri-too-long"]],
  415: [["Validation", "validation-media-type"]],
  422: [["Validation", "validation-invalid-input"], ["Handler", "handler-rule-refused"]],
  428: [["Dependencies", "dependencies-version-missing"]],
  429: [["Middleware", "middleware-quota-exceeded"], ["Security"], ["Proxy", "proxy-rate-limited"]],
  431: [["Server", "server-headers-too-large"], ["Proxy", "proxy-headers-too-large"]],
  500: [["Handler", "handler-unhandled-exception"], ["Proxy", "proxy-misconfigured"]],
  502: [["Balancer", "balancer-no-healthy-backend"], ["Server", "server-worker-crashed"], [
    "Handler",
    "handler-dependency-failed"
  ]],
  503: [["Middleware", "middleware-overloaded"], ["Proxy", "proxy-unavailable"], ["Balancer", "balancer-unavailable"], [
    "Handler",
    "handler-dependency-unavailable"
  ]],
  504: [["Balancer", "balancer-backend-timeout"], ["Middleware", "middleware-deadline-exceeded"]]
}

const possibilities: ReadonlyArray<Rule<ResponseFacts>> = Object.entries(speakers).flatMap(([status, names]) =>
  names.map(([stage, failure]): Rule<ResponseFacts> => ({
    when: (facts) => facts.status === Number(status) && facts.format !== "html" && !Speaker.isApplicationJson(facts),
    stage,
    failure,
    confidence: "possible",
    reached: false,
    evidence: `${stage} can answer ${status}, and so can others: the status alone does not tell.`
  }))
)

export const statusRules: ReadonlyArray<Rule<ResponseFacts>> = [
  {
    when: (facts) => facts.status === 499,
    stage: "Response",
    failure: "response-client-gone",
    confidence: "likely",
    reached: true,
    evidence: "499 is never sent: it is what a log writes when the client had gone before the answer was ready."
  },
  {
    when: (facts) => facts.status === 504 && isSilent(facts),
    stage: "Proxy",
    failure: "proxy-upstream-timeout",
    confidence: "likely",
    reached: true,
    evidence:
      "504 is by definition a gateway's word for an upstream that was too slow, and nothing shows an application's hand."
  },
  {
    when: (facts) => facts.status === 502 && isSilent(facts),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    confidence: "likely",
    reached: false,
    evidence:
      "502 is by definition a gateway's word for an upstream it could not use, and nothing shows an application's hand."
  },
  {
    when: (facts) => facts.status === 413 && isSilent(facts) && facts.reason === "request entity too large",
    stage: "Proxy",
    failure: "proxy-body-too-large",
    confidence: "likely",
    reached: false,
    evidence:
      "nginx still says `Request Entity Too Large`; Node says `Payload Too Large`, and an application adds a body."
  },
  {
    when: (facts) =>
      facts.status >= 400 && isSilent(facts) && Speaker.isProxyServer(facts) && facts.header("content-length") !== "0",
    stage: "Proxy",
    confidence: "possible",
    reached: false,
    evidence: (facts) => `Server: ${facts.header("server")} names a proxy, but a proxy also signs what it forwards.`
  },
  ...possibilities
]
