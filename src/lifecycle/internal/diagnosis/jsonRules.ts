/** Rules for JSON that the application wrote: what the status means once it is clear who spoke. */
import { property, type ResponseFacts } from "./responseFacts.ts"
import type { Rule } from "./rule.ts"
import * as Speaker from "./speaker.ts"

/** Words of a router that knows no path, as frameworks write them. */
const routeless =
  /^(?:not found|404 page not found|the requested url was not found on the server.*|cannot [a-z]+ \/\S*|route .* not found|no route .*)\.?$/

/** All that the answer says is that nothing was found: it knows no thing by name. */
const isRouteless = (facts: ResponseFacts): boolean => {
  const said = ["detail", "message", "title", "error"]
    .map((key) => property(facts.json, key))
    .filter((value): value is string => typeof value === "string")
  return said.length > 0 && said.every((words) => routeless.test(words.trim().toLowerCase()))
}

const speaks = (status: number) => (facts: ResponseFacts): boolean =>
  facts.status === status && Speaker.isApplicationJson(facts)

const says = (pattern: RegExp) => (facts: ResponseFacts): boolean => pattern.test(Speaker.sayings(facts))

const mentionsKey = says(/idempotency/)
const mentionsJson = says(/json|unexpected (?:token|end)|parse error|malformed body/)

export const jsonRules: ReadonlyArray<Rule<ResponseFacts>> = [
  {
    when: (facts) => speaks(400)(facts) && mentionsKey(facts),
    stage: "Dependencies",
    failure: "dependencies-key-missing",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON asks for an idempotency key."
  },
  {
    when: (facts) => speaks(400)(facts) && says(/\bhost\b/)(facts),
    stage: "Middleware",
    failure: "middleware-bad-host",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON complains of the Host header."
  },
  {
    when: (facts) => speaks(400)(facts) && says(/origin|\bcors\b/)(facts),
    stage: "Middleware",
    failure: "middleware-origin-rejected",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON complains of the page's origin."
  },
  {
    when: (facts) => speaks(400)(facts) && mentionsJson(facts) && !mentionsKey(facts),
    stage: "Validation",
    failure: "validation-malformed-json",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON says that the body does not parse."
  },
  {
    when: (facts) => speaks(400)(facts) && Speaker.fieldErrors(facts).length > 0,
    stage: "Validation",
    failure: "validation-invalid-input",
    confidence: "likely",
    reached: true,
    evidence: (facts) => `The JSON lists wrong fields (${Speaker.fieldErrors(facts).slice(0, 3).join(", ")}).`
  },
  {
    when: (facts) => speaks(401)(facts) && facts.has("www-authenticate"),
    stage: "Security",
    failure: "security-invalid-token",
    confidence: "certain",
    reached: true,
    evidence: (facts) =>
      `The application's JSON with the challenge ${
        facts.header("www-authenticate").split(" ")[0]
      }: it asks who you are.`
  },
  {
    when: speaks(401),
    stage: "Security",
    failure: "security-invalid-token",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON says 401, although no WWW-Authenticate names the scheme."
  },
  {
    when: speaks(401),
    stage: "Dependencies",
    confidence: "possible",
    reached: true,
    evidence: "Some frameworks check the token in a dependency of the route and answer 401 from there.",
    advice: "Look whether the route declares the check itself."
  },
  {
    when: speaks(403),
    stage: "Dependencies",
    failure: "dependencies-not-permitted",
    confidence: "likely",
    reached: true,
    evidence:
      "403 in the application's JSON asks for no credentials: it knows the caller, and a check before the handler refused."
  },
  {
    when: speaks(403),
    stage: "Security",
    failure: "security-forbidden",
    confidence: "possible",
    reached: true,
    evidence: "An authentication middleware may refuse with 403 as well."
  },
  {
    when: (facts) => speaks(404)(facts) && isRouteless(facts),
    stage: "Router",
    failure: "router-path-not-found",
    confidence: "likely",
    reached: true,
    evidence:
      "JSON, so the proxy forwarded it; and it says only `not found`, the framework's default for a path without a route."
  },
  {
    when: (facts) => speaks(404)(facts) && !isRouteless(facts) && Speaker.sayings(facts) !== "",
    stage: "Handler",
    failure: "handler-not-found",
    confidence: "likely",
    reached: true,
    evidence: (facts) =>
      `The JSON speaks of a thing, not of a path ("${Speaker.sayings(facts).slice(0, 80)}"): a handler looked for it.`
  },
  {
    when: speaks(404),
    stage: "Handler",
    failure: "handler-not-found",
    confidence: "possible",
    reached: true,
    evidence: "A handler that raises 404 without words looks the same as the router."
  },
  {
    when: speaks(404),
    stage: "Router",
    failure: "router-path-not-found",
    confidence: "possible",
    reached: true,
    evidence: "The application's JSON says 404, and its router may have written it."
  },
  {
    when: speaks(405),
    stage: "Router",
    failure: "router-method-not-allowed",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON says 405, though its Allow header is missing."
  },
  {
    when: speaks(406),
    stage: "Validation",
    failure: "validation-not-acceptable",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON says that it cannot write what Accept asks for."
  },
  {
    when: (facts) => speaks(409)(facts) && mentionsKey(facts),
    stage: "Dependencies",
    failure: "dependencies-already-running",
    confidence: "likely",
    reached: true,
    evidence: "The conflict is about the idempotency key: the first request with it still runs."
  },
  {
    when: (facts) => speaks(409)(facts) && !mentionsKey(facts),
    stage: "Handler",
    failure: "handler-conflict",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON reports a conflict, and only a handler knows the state it conflicts with."
  },
  {
    when: speaks(412),
    stage: "Dependencies",
    failure: "dependencies-version-stale",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON says that a precondition such as If-Match does not hold."
  },
  {
    when: speaks(413),
    stage: "Validation",
    failure: "validation-body-too-large",
    confidence: "likely",
    reached: true,
    evidence: "413 in JSON: the proxy let the body through, and the application's own limit refused it."
  },
  {
    when: speaks(415),
    stage: "Validation",
    failure: "validation-media-type",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON says that it does not read this Content-Type."
  },
  {
    when: (facts) => speaks(422)(facts) && mentionsKey(facts),
    stage: "Dependencies",
    failure: "dependencies-key-reused",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON says that this idempotency key belongs to another payload."
  },
  {
    when: (facts) => speaks(422)(facts) && Speaker.fieldErrors(facts).length > 0,
    stage: "Validation",
    failure: "validation-invalid-input",
    confidence: "certain",
    reached: true,
    evidence: (facts) =>
      `The JSON lists the wrong fields (${Speaker.fieldErrors(facts).slice(0, 3).join(", ")}), as a schema check does.`
  },
  {
    when: (facts) => speaks(422)(facts) && Speaker.fieldErrors(facts).length === 0 && !mentionsKey(facts),
    stage: "Handler",
    failure: "handler-rule-refused",
    confidence: "possible",
    reached: true,
    evidence: "422 without a list of fields: a handler's rule may have refused."
  },
  {
    when: speaks(422),
    stage: "Validation",
    failure: "validation-invalid-input",
    confidence: "possible",
    reached: true,
    evidence: "422 is the usual status of a schema check."
  },
  {
    when: speaks(428),
    stage: "Dependencies",
    failure: "dependencies-version-missing",
    confidence: "likely",
    reached: true,
    evidence: "The application's JSON asks for a precondition such as If-Match."
  },
  {
    when: (facts) =>
      facts.status === 429 && facts.format !== "html" && !Speaker.isGatewayJson(facts) &&
      (Speaker.isApplicationJson(facts) ||
        ["ratelimit", "ratelimit-remaining", "x-ratelimit-remaining"].some(facts.has)),
    stage: "Middleware",
    failure: "middleware-quota-exceeded",
    confidence: "likely",
    reached: true,
    evidence: (facts) =>
      Speaker.isApplicationJson(facts)
        ? "429 in the application's JSON: its rate limit counts this caller; a proxy would send a page."
        : "429 with RateLimit headers: the limit belongs to the application, which knows this caller's remaining quota."
  },
  {
    when: speaks(429),
    stage: "Security",
    confidence: "possible",
    reached: true,
    evidence: "A limit that belongs to an identity runs after authentication.",
    advice: "Ask for another quota for this identity."
  },
  {
    when: speaks(500),
    stage: "Handler",
    failure: "handler-unhandled-exception",
    confidence: "likely",
    reached: true,
    evidence: "500 in JSON: the application's own error boundary wrote it, so its code ran and failed."
  },
  {
    when: speaks(501),
    stage: "Router",
    failure: "router-method-unknown",
    confidence: "possible",
    reached: true,
    evidence: "501 is a router's word for a method that no path knows; a handler may say it of itself."
  },
  {
    when: speaks(502),
    stage: "Handler",
    failure: "handler-dependency-failed",
    confidence: "likely",
    reached: true,
    evidence: "502 in the application's JSON: it was itself the gateway, and a service behind it failed."
  },
  {
    when: (facts) =>
      speaks(503)(facts) &&
      (facts.has("retry-after") || says(/overload|capacity|draining|shutting down|too busy/)(facts)),
    stage: "Middleware",
    failure: "middleware-overloaded",
    confidence: "likely",
    reached: true,
    evidence:
      "503 in the application's JSON with a word on when to come back: it refused on purpose, before the work began."
  },
  {
    when: (facts) => speaks(503)(facts) && !facts.has("retry-after"),
    stage: "Handler",
    failure: "handler-dependency-unavailable",
    confidence: "likely",
    reached: true,
    evidence: "503 in the application's JSON without Retry-After: it runs, but something it needs does not."
  },
  {
    when: speaks(503),
    stage: "Handler",
    failure: "handler-dependency-unavailable",
    confidence: "possible",
    reached: true,
    evidence: "The handler may have lost its database."
  },
  {
    when: speaks(504),
    stage: "Middleware",
    failure: "middleware-deadline-exceeded",
    confidence: "likely",
    reached: true,
    evidence:
      "504 in JSON: not a proxy's page, so the application itself stopped the work when the caller's time was up."
  },
  {
    when: (facts) => facts.status >= 400 && Speaker.isApplicationJson(facts),
    stage: "Handler",
    confidence: "possible",
    reached: true,
    evidence: "JSON of the application's own: some stage inside it answered.",
    advice: "Find the request id in the application's log."
  }
]
