/** Captures of statuses that several layers speak. */
import {
  awsHeaders,
  awsPage,
  type Capture,
  curl,
  forwarded,
  haproxyPage,
  nginxHeaders,
  nginxPage,
  problem,
  problemHeaders,
  response
} from "./captures.ts"

/** Each status that two layers speak, from each of them. */
export const twoSpeakers: ReadonlyArray<Capture> = [
  {
    name: "404: nginx's page",
    evidence: response(404, nginxHeaders, nginxPage(404)),
    stage: "Proxy",
    failure: "proxy-not-found",
    reached: false
  },
  {
    name: "404: a page without a Server header",
    evidence: response(404, { "Content-Type": "text/html" }, awsPage(404)),
    stage: "Proxy",
    reached: false
  },
  {
    name: "404: a router's JSON behind nginx",
    evidence: response(
      404,
      forwarded,
      "{\"message\":\"Route GET:/userz not found\",\"error\":\"Not Found\",\"statusCode\":404}"
    ),
    stage: "Router",
    reached: true
  },
  {
    name: "404: a router's plain text (Starlette)",
    evidence: response(404, { Server: "uvicorn", "Content-Type": "text/plain; charset=utf-8" }, "Not Found"),
    stage: "Router",
    reached: true
  },
  {
    name: "404: Express answers with HTML of its own",
    evidence: response(
      404,
      { "X-Powered-By": "Express", "Content-Type": "text/html; charset=utf-8" },
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n<pre>Cannot GET /userz</pre>\n</body>\n</html>\n"
    ),
    stage: "Router",
    reached: true
  },
  {
    name: "404: a handler's problem about a thing",
    evidence: response(404, problemHeaders, problem(404, "Not Found", "Order 0190d3f2 does not exist")),
    stage: "Handler",
    failure: "handler-not-found",
    reached: true
  },
  {
    name: "404: Kong's JSON, which is a proxy's",
    evidence: response(
      404,
      { Server: "kong/3.4.0", "Content-Type": "application/json; charset=utf-8" },
      "{\"message\":\"no Route matched with those values\"}"
    ),
    stage: "Proxy",
    reached: false
  },
  {
    name: "413: the application's JSON behind nginx",
    evidence: response(
      413,
      forwarded,
      "{\"statusCode\":413,\"code\":\"FST_ERR_CTP_BODY_TOO_LARGE\",\"error\":\"Payload Too Large\",\"message\":\"Request body is too large\"}"
    ),
    stage: "Validation",
    failure: "validation-body-too-large",
    reached: true
  },
  {
    name: "502: the AWS balancer",
    evidence: response(502, awsHeaders, awsPage(502)),
    stage: "Balancer",
    reached: false
  },
  {
    name: "502: Envoy's text",
    evidence: response(
      502,
      { server: "envoy", "content-type": "text/plain", "content-length": "95" },
      "upstream connect error or disconnect/reset before headers. reset reason: protocol error"
    ),
    stage: "Balancer",
    reached: false
  },
  {
    name: "502: the application, which was a gateway itself",
    evidence: response(502, problemHeaders, problem(502, "Bad Gateway", "payments answered 500")),
    stage: "Handler",
    failure: "handler-dependency-failed",
    reached: true
  },
  {
    name: "502: JSON that passed Envoy, which signs everything",
    evidence: response(
      502,
      { server: "envoy", "content-type": "application/json", "x-envoy-upstream-service-time": "12" },
      "{\"error\":\"payments is down\"}"
    ),
    stage: "Handler",
    reached: true
  },
  {
    name: "503: nginx's page",
    evidence: response(503, nginxHeaders, nginxPage(503)),
    stage: "Proxy",
    failure: "proxy-unavailable",
    reached: false
  },
  {
    name: "503: Envoy has no healthy upstream",
    evidence: response(
      503,
      { server: "envoy", "content-type": "text/plain", "content-length": "19" },
      "no healthy upstream"
    ),
    stage: "Balancer",
    failure: "balancer-unavailable",
    reached: false
  },
  {
    name: "503: HAProxy has no server",
    evidence: response(
      503,
      { "Cache-Control": "no-cache", Connection: "close", "Content-Type": "text/html" },
      haproxyPage(503, "No server is available to handle this request.")
    ),
    stage: "Balancer",
    failure: "balancer-unavailable",
    reached: false
  },
  {
    name: "503: the application refuses and says when to come back",
    evidence: response(503, { ...problemHeaders, "Retry-After": "2" }, problem(503, "Service Unavailable")),
    stage: "Middleware",
    failure: "middleware-overloaded",
    reached: true
  },
  {
    name: "503: the application lost its database",
    evidence: response(503, forwarded, "{\"detail\":\"database unavailable\"}"),
    stage: "Handler",
    failure: "handler-dependency-unavailable",
    reached: true
  },
  {
    name: "504: the AWS balancer",
    evidence: response(504, awsHeaders, awsPage(504)),
    stage: "Balancer",
    failure: "balancer-backend-timeout",
    reached: true
  },
  {
    name: "504: Envoy's text",
    evidence: response(504, { server: "envoy", "content-type": "text/plain" }, "upstream request timeout"),
    stage: "Balancer",
    failure: "balancer-backend-timeout",
    reached: true
  },
  {
    name: "504: the application's problem about a deadline",
    evidence: response(504, problemHeaders, problem(504, "Gateway Timeout", "The budget of 2000 ms is spent")),
    stage: "Middleware",
    failure: "middleware-deadline-exceeded",
    reached: true
  },
  {
    name: "504: a problem that has lost its body keeps its media type",
    evidence: response(504, problemHeaders),
    stage: "Middleware",
    reached: true
  },
  {
    name: "500: nginx's page",
    evidence: response(500, nginxHeaders, nginxPage(500)),
    stage: "Proxy",
    reached: false
  },
  {
    name: "500: the application's problem",
    evidence: response(500, problemHeaders, problem(500, "Internal Server Error")),
    stage: "Handler",
    failure: "handler-unhandled-exception",
    reached: true
  },
  {
    name: "405: nginx's page, without Allow",
    evidence: response(405, nginxHeaders, nginxPage(405)),
    stage: "Proxy",
    reached: false
  },
  {
    name: "429: nginx's page",
    evidence: response(429, nginxHeaders, nginxPage(429)),
    stage: "Proxy",
    failure: "proxy-rate-limited",
    reached: false
  },
  {
    name: "400: Node's parser, alone on the socket",
    evidence: response(400, { Connection: "close" }, ""),
    stage: "Server",
    failure: "server-malformed-request",
    reached: true
  },
  {
    name: "400: JSON that does not parse",
    evidence: response(
      400,
      problemHeaders,
      problem(400, "Bad Request", "The body is not valid JSON: Unexpected end of input")
    ),
    stage: "Validation",
    failure: "validation-malformed-json",
    reached: true
  },
  {
    name: "400: a Host that nobody expects (Starlette)",
    evidence: response(400, { Server: "uvicorn", "Content-Type": "text/plain; charset=utf-8" }, "Invalid host header"),
    stage: "Middleware",
    failure: "middleware-bad-host",
    reached: true
  },
  {
    name: "408: Node's parser",
    evidence: curl("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"),
    stage: "Server",
    failure: "server-request-timeout",
    reached: true
  },
  {
    name: "431: Node's parser",
    evidence: curl(
      "< HTTP/1.1 431 Request Header Fields Too Large\n< Connection: close\n< \n{ [0 bytes data]\n* Closing connection 0\n"
    ),
    stage: "Server",
    failure: "server-headers-too-large",
    reached: true
  },
  {
    name: "409: a key that still runs",
    evidence: response(
      409,
      problemHeaders,
      problem(409, "Conflict", "A request with this Idempotency-Key is still running")
    ),
    stage: "Dependencies",
    failure: "dependencies-already-running",
    reached: true
  },
  {
    name: "409: a state that says no",
    evidence: response(409, forwarded, "{\"error\":\"email already registered\"}"),
    stage: "Handler",
    failure: "handler-conflict",
    reached: true
  },
  ...([
    [400, "Idempotency-Key is missing", "Dependencies", "dependencies-key-missing"],
    [406, "Not Acceptable", "Validation", "validation-not-acceptable"],
    [412, "Precondition Failed", "Dependencies", "dependencies-version-stale"],
    [415, "Unsupported Media Type", "Validation", "validation-media-type"],
    [428, "Precondition Required", "Dependencies", "dependencies-version-missing"]
  ] as const).map(([status, title, stage, failure]): Capture => ({
    name: `${status}: a problem without a stage (${title})`,
    evidence: response(status, problemHeaders, problem(status, title)),
    stage,
    failure,
    reached: true
  })),
  {
    name: "499: what a log says of a client that left",
    evidence: response(499, {}),
    stage: "Response",
    failure: "response-client-gone",
    reached: true
  }
]
