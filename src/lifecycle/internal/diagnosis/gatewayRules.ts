/** Rules for answers that something in front of the application wrote, and for the log lines that such a gateway leaves. */
import type { FailureId } from "../../Failure.ts"
import { property, type ResponseFacts } from "./responseFacts.ts"
import type { Rule } from "./rule.ts"
import * as Speaker from "./speaker.ts"

const balancerFailure = (facts: ResponseFacts): FailureId | undefined => {
  switch (facts.status) {
    case 502:
      return "balancer-no-healthy-backend"
    case 503:
      return "balancer-unavailable"
    case 504:
      return "balancer-backend-timeout"
  }
  return undefined
}

const proxyFailures: { readonly [status: number]: FailureId } = {
  400: "proxy-bad-request",
  401: "proxy-login-required",
  403: "proxy-refused",
  404: "proxy-not-found",
  405: "proxy-method-refused",
  408: "proxy-request-timeout",
  413: "proxy-body-too-large",
  414: "proxy-uri-too-long",
  429: "proxy-rate-limited",
  431: "proxy-headers-too-large",
  // Nginx's own number for them in its log.
  494: "proxy-headers-too-large",
  500: "proxy-misconfigured",
  502: "proxy-upstream-refused",
  503: "proxy-unavailable",
  504: "proxy-upstream-timeout",
  // Cloudflare's own numbers for what its call to the origin met.
  520: "proxy-upstream-refused",
  521: "proxy-upstream-refused",
  522: "proxy-upstream-timeout",
  523: "proxy-upstream-refused",
  524: "proxy-upstream-timeout"
}
const proxyFailure = (facts: ResponseFacts): FailureId | undefined =>
  facts.status === 400 && facts.text.includes("request header or cookie too large")
    ? "proxy-headers-too-large"
    : proxyFailures[facts.status]

/** A gateway that ran out of patience had handed the request over; every other answer of its own came instead of that. */
const handedOver = (facts: ResponseFacts): boolean => facts.status === 504 || facts.status === 524

const isGatewayStatus = (facts: ResponseFacts): boolean =>
  facts.status === 502 || facts.status === 503 || facts.status === 504 || (facts.status >= 520 && facts.status <= 524)

const proxyStatusError = (facts: ResponseFacts): string =>
  /;\s*error=([a-z_]+)/.exec(facts.header("proxy-status"))?.[1] ?? ""

/** Several backends were tried, as the problem says that came with the header. */
const byBalancer = (facts: ResponseFacts): boolean => property(facts.json, "stage") === "Balancer"

const failed = (facts: ResponseFacts): boolean => facts.status >= 400

/** An HTML page that nothing ties to an application. */
const isForeignPage = (facts: ResponseFacts): boolean =>
  failed(facts) && facts.format === "html" && !Speaker.isApplicationServer(facts)

export const gatewayRules: ReadonlyArray<Rule<ResponseFacts>> = [
  {
    when: (facts) =>
      /upstream prematurely closed connection(?! while reading upstream)|connection reset by peer\) while reading(?! upstream)/
        .test(facts.log),
    stage: "Server",
    failure: "server-worker-crashed",
    confidence: "certain",
    reached: true,
    evidence: "The proxy's log says that the application closed the connection before it answered."
  },
  {
    when: (facts) =>
      /(?:upstream prematurely closed connection|connection reset by peer\)) while reading upstream/.test(facts.log),
    stage: "Response",
    failure: "response-truncated",
    confidence: "certain",
    reached: true,
    evidence: "The proxy's log says that the application closed the connection in the middle of its answer."
  },
  {
    when: (facts) => /connect\(\) failed|no live upstreams|connection refused\) while connecting/.test(facts.log),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    confidence: "certain",
    reached: false,
    evidence: "The proxy's log says that it could not connect to the application."
  },
  {
    when: (facts) => /upstream timed out .*while reading response header/.test(facts.log),
    stage: "Proxy",
    failure: "proxy-upstream-timeout",
    confidence: "certain",
    reached: true,
    evidence: "The proxy's log says that the application took the request and gave no answer in time."
  },
  {
    when: (facts) => /upstream sent (?:no valid http\/\S+ header|invalid header|duplicate header)/.test(facts.log),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    confidence: "certain",
    reached: false,
    evidence: "The proxy's log says that what came from the application's address is not HTTP."
  },
  {
    when: (facts) =>
      /client timed out .*while (?:reading client request|waiting for client request body)/.test(facts.log),
    stage: "Proxy",
    failure: "proxy-request-timeout",
    confidence: "certain",
    reached: false,
    evidence: "The proxy's log says that the client began a request and did not finish it in time."
  },
  {
    when: (facts) => facts.log.includes("client intended to send too large body"),
    stage: "Proxy",
    failure: "proxy-body-too-large",
    confidence: "certain",
    reached: false,
    evidence: "The proxy's log says that it refused the body for its size."
  },
  {
    when: (facts) =>
      /^(?:connection_terminated|http_response_incomplete)$/.test(proxyStatusError(facts)) && !byBalancer(facts),
    stage: "Server",
    failure: "server-worker-crashed",
    confidence: "certain",
    reached: true,
    evidence: (facts) =>
      `Proxy-Status says error=${proxyStatusError(facts)}: the application closed before it had answered.`
  },
  {
    when: (facts) =>
      /^(?:connection_refused|connection_timeout|destination_unavailable|destination_ip_unroutable|dns_error|dns_timeout)$/
        .test(proxyStatusError(facts)) && !byBalancer(facts),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    confidence: "certain",
    reached: false,
    evidence: (facts) => `Proxy-Status says error=${proxyStatusError(facts)}: the proxy never reached the application.`
  },
  {
    when: (facts) =>
      /^(?:tls_certificate_error|tls_protocol_error|tls_alert_received|http_protocol_error)$/
        .test(proxyStatusError(facts)) && !byBalancer(facts),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    confidence: "certain",
    reached: false,
    evidence: (facts) =>
      `Proxy-Status says error=${proxyStatusError(facts)}: what listens at the application's address speaks otherwise.`
  },
  {
    when: (facts) =>
      /^(?:http_response_timeout|connection_read_timeout)$/.test(proxyStatusError(facts)) && !byBalancer(facts),
    stage: "Proxy",
    failure: "proxy-upstream-timeout",
    confidence: "certain",
    reached: true,
    evidence: (facts) =>
      `Proxy-Status says error=${proxyStatusError(facts)}: the application was too slow for the proxy.`
  },
  {
    when: Speaker.isEnvoyText,
    stage: "Balancer",
    failure: balancerFailure,
    confidence: "certain",
    reached: (facts) => handedOver(facts) || facts.text.includes("connection termination"),
    evidence: "The body is a fixed sentence of Envoy, which balances between backends; no application writes it."
  },
  {
    when: (facts) => Speaker.isEnvoyText(facts) && facts.text.includes("connection termination"),
    stage: "Server",
    failure: "server-worker-crashed",
    confidence: "possible",
    reached: true,
    evidence: "The balancer gives `connection termination` as its reason: a backend took the connection and closed it."
  },
  {
    when: Speaker.isHaproxyPage,
    stage: "Balancer",
    failure: balancerFailure,
    confidence: "certain",
    reached: handedOver,
    evidence: "The page is one of HAProxy's own; a backend's answer would have replaced it."
  },
  {
    when: (facts) => failed(facts) && facts.header("server").startsWith("awselb"),
    stage: "Balancer",
    failure: balancerFailure,
    confidence: "certain",
    reached: handedOver,
    evidence:
      "Server: awselb stands only on answers that the AWS balancer writes itself; it forwards a backend's own header."
  },
  {
    when: (facts) => isForeignPage(facts) && Speaker.isBalancerServer(facts),
    stage: "Balancer",
    failure: balancerFailure,
    confidence: "likely",
    reached: handedOver,
    evidence: (facts) => `An HTML page with Server: ${facts.header("server")}, a load balancer.`
  },
  {
    when: (facts) =>
      failed(facts) && facts.format === "text" && Speaker.isBalancerServer(facts) && isGatewayStatus(facts) &&
      !Speaker.isApplicationServer(facts),
    stage: "Balancer",
    failure: balancerFailure,
    confidence: "likely",
    reached: handedOver,
    evidence: (facts) =>
      `A plain-text ${facts.status} with Server: ${facts.header("server")} and no mark of a backend's answer.`
  },
  {
    when: (facts) =>
      isForeignPage(facts) && facts.text.includes("the server encountered a temporary error and could not"),
    stage: "Balancer",
    failure: balancerFailure,
    confidence: "likely",
    reached: handedOver,
    evidence: "The page is the one that Google's load balancer shows when no backend answered."
  },
  {
    when: (facts) => failed(facts) && Speaker.isNginxPage(facts),
    stage: "Proxy",
    failure: proxyFailure,
    confidence: "certain",
    reached: handedOver,
    evidence: (facts) =>
      `The body is the proxy's own HTML page, signed at its foot: a ${facts.status} of the application would be JSON.`
  },
  {
    when: (facts) => failed(facts) && Speaker.isGatewayJson(facts),
    stage: "Proxy",
    failure: proxyFailure,
    confidence: "likely",
    reached: handedOver,
    evidence: "The JSON is a fixed sentence of an API gateway, although it is JSON."
  },
  {
    when: (facts) => isForeignPage(facts) && Speaker.isProxyServer(facts),
    stage: "Proxy",
    failure: proxyFailure,
    confidence: "likely",
    reached: handedOver,
    evidence: (facts) => `An HTML body with Server: ${facts.header("server")}: the application behind it speaks JSON.`
  },
  {
    when: (facts) => isForeignPage(facts) && facts.has("via"),
    stage: "Proxy",
    failure: proxyFailure,
    confidence: "likely",
    reached: handedOver,
    evidence: (facts) => `An HTML body that came Via: ${facts.header("via")}.`
  },
  {
    when: (facts) => isForeignPage(facts) && (Speaker.isCannedPage(facts) || isGatewayStatus(facts)),
    stage: "Proxy",
    failure: proxyFailure,
    confidence: "likely",
    reached: handedOver,
    evidence: (facts) =>
      Speaker.isCannedPage(facts)
        ? "An HTML page that holds only the status and its words, as proxies write them."
        : `An HTML page with ${facts.status}, a status that gateways give.`
  },
  {
    when: (facts) => isForeignPage(facts),
    stage: "Proxy",
    failure: proxyFailure,
    confidence: "possible",
    reached: false,
    evidence: "The body is HTML, which a proxy writes more often than an API does; nothing names its author."
  },
  {
    // The same 502 page hides two causes, and only the proxy's log tells them apart.
    when: (facts) => facts.status === 502 && facts.format === "html" && !Speaker.isApplicationServer(facts),
    stage: "Server",
    failure: "server-worker-crashed",
    confidence: "possible",
    reached: true,
    evidence: "The proxy shows the same page when the application's worker closes the connection; its error log tells."
  }
]
