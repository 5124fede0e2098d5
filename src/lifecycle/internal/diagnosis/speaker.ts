/** Who wrote a response: the questions that several rules ask. */
import { property, type ResponseFacts } from "./responseFacts.ts"

const balancers = /^(?:awselb|envoy|istio-envoy|haproxy|google frontend|gws)/
const proxies = /^(?:nginx|openresty|cloudflare|cloudfront|apache|caddy|traefik|kong|varnish|squid|akamai|iis)/
const applications =
  /^(?:uvicorn|gunicorn|hypercorn|daphne|werkzeug|wsgiserver|kestrel|jetty|puma|cowboy|tornadoserver)/

export const isBalancerServer = (facts: ResponseFacts): boolean => balancers.test(facts.header("server"))
export const isProxyServer = (facts: ResponseFacts): boolean => proxies.test(facts.header("server"))
export const isApplicationServer = (facts: ResponseFacts): boolean =>
  applications.test(facts.header("server")) || facts.has("x-powered-by") || facts.has("x-envoy-upstream-service-time")

/** Kong and API gateways speak JSON of their own; these are their sentences. */
const gatewaySentences =
  /"message":\s*"(?:no route matched with those values|an invalid response was received from the upstream server|the upstream server is timing out|api rate limit exceeded|failure to get a peer from the ring-balancer|name resolution failed|request size limit exceeded|missing authentication token)/

export const isGatewayJson = (facts: ResponseFacts): boolean =>
  (facts.format === "json" && gatewaySentences.test(facts.text)) || facts.has("x-amzn-errortype")

/** A page whose only content is a status and its words: what proxies send, and applications seldom do. */
export const isCannedPage = (facts: ResponseFacts): boolean =>
  facts.format === "html" && facts.text.length < 4096 &&
  new RegExp(`<(?:h1|title)>\\s*(?:error )?${facts.status}\\b`).test(facts.text)

export const isNginxPage = (facts: ResponseFacts): boolean =>
  facts.format === "html" && /<center>(?:nginx|openresty|cloudflare|tengine)/.test(facts.text)

/** The fixed sentences of HAProxy's own pages. */
export const isHaproxyPage = (facts: ResponseFacts): boolean =>
  facts.format === "html" &&
  /no server is available to handle this request|the server returned an invalid or incomplete response|the server didn't respond in time|your browser (?:didn't send|sent an invalid)/
    .test(facts.text)

export const isEnvoyText = (facts: ResponseFacts): boolean =>
  /^(?:no healthy upstream|upstream connect error or disconnect\/reset before headers|upstream request timeout|no_healthy_upstream)/
    .test(facts.text)

/** JSON that an application wrote. The Server header is no evidence here: a proxy puts its own name on what it forwards. */
export const isApplicationJson = (facts: ResponseFacts): boolean =>
  (facts.format === "json" || facts.format === "problem") && !isGatewayJson(facts)

const messageKeys = ["detail", "message", "error", "title", "error_description", "code"]

/** What the application's JSON says in words, in lower case. */
export const sayings = (facts: ResponseFacts): string =>
  messageKeys.map((key) => property(facts.json, key)).filter((value) => typeof value === "string").join(" | ")
    .toLowerCase()

const show = (place: unknown): string => {
  if (typeof place === "string" || typeof place === "number") return String(place)
  const pointer = property(place, "pointer")
  return typeof pointer === "string" ? pointer : "?"
}

/** A list of wrong fields: FastAPI's `loc`, RFC 9457's `pointer`, and the usual `path` and `field`. */
export const fieldErrors = (facts: ResponseFacts): ReadonlyArray<string> => {
  const lists = ["detail", "errors", "issues", "violations", "message"].map((key) => property(facts.json, key))
  const items = lists.find((list): list is Array<unknown> => Array.isArray(list) && list.length > 0) ?? []
  const fields: Array<string> = []
  for (const item of items.slice(0, 100)) {
    const place = ["loc", "pointer", "path", "field", "instancePath", "param", "source"]
      .map((key) => property(item, key))
      .find((value) => value !== undefined)
    if (place !== undefined) fields.push(Array.isArray(place) ? place.map(show).join(".") : show(place))
  }
  return fields
}
