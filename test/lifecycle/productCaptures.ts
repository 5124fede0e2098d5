/** Captures of single products' words, so that each deciding rule of `Diagnosis` decides at least one of them. */
import {
  type Capture,
  curl,
  forwarded,
  nginxHeaders,
  nginxPage,
  problem,
  problemHeaders,
  response
} from "./captures.ts"

const text = { "Content-Type": "text/plain; charset=utf-8" }

export const products: ReadonlyArray<Capture> = [
  {
    name: "nginx's log: read timeout",
    evidence: response(
      504,
      nginxHeaders,
      nginxPage(504),
      "2026/11/21 10:00:00 [error] 31#31: *9 upstream timed out (110: Connection timed out) while reading response header from upstream"
    ),
    stage: "Proxy",
    failure: "proxy-upstream-timeout",
    reached: true
  },
  {
    name: "nginx's log: body too large",
    evidence: response(
      413,
      nginxHeaders,
      nginxPage(413),
      "2026/11/21 10:00:00 [error] 31#31: *9 client intended to send too large body: 5242880 bytes, client: 10.0.0.9"
    ),
    stage: "Proxy",
    failure: "proxy-body-too-large",
    reached: false
  },
  {
    name: "only a line of nginx's log",
    evidence: curl(
      "2026/11/21 10:00:00 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.9"
    ),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    reached: false
  },
  {
    name: "Proxy-Status: connection terminated",
    evidence: response(502, { "Proxy-Status": "edge.example; error=connection_terminated" }),
    stage: "Server",
    failure: "server-worker-crashed",
    reached: true
  },
  {
    name: "Proxy-Status: connection refused",
    evidence: response(502, { "Proxy-Status": "edge.example; error=connection_refused" }),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    reached: false
  },
  {
    name: "Proxy-Status: response timeout",
    evidence: response(504, { "Proxy-Status": "edge.example; error=http_response_timeout" }),
    stage: "Proxy",
    failure: "proxy-upstream-timeout",
    reached: true
  },
  {
    name: "Envoy under load",
    evidence: response(503, { server: "envoy", "content-type": "text/plain" }, "envoy overloaded"),
    stage: "Balancer",
    failure: "balancer-unavailable",
    reached: false
  },
  {
    name: "Google's balancer, with its Server header",
    evidence: response(
      502,
      { Server: "Google Frontend", "Content-Type": "text/html; charset=UTF-8" },
      "<html><head>\n<title>502 Server Error</title>\n</head>\n<body><h1>Error: Server Error</h1></body></html>\n"
    ),
    stage: "Balancer",
    failure: "balancer-no-healthy-backend",
    reached: false
  },
  {
    name: "Google's balancer, without it",
    evidence: response(
      502,
      { "Content-Type": "text/html; charset=UTF-8", Via: "1.1 google" },
      "\n<html><head>\n<title>502 Server Error</title>\n</head>\n<body><h1>Error: Server Error</h1>\n" +
        "<h2>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.</h2>\n</body></html>\n"
    ),
    stage: "Balancer",
    failure: "balancer-no-healthy-backend",
    reached: false
  },
  {
    name: "Apache as a proxy",
    evidence: response(
      503,
      { Server: "Apache/2.4.57 (Debian)", "Content-Type": "text/html; charset=iso-8859-1" },
      "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>503 Service Unavailable</title>\n</head><body>\n<h1>Service Unavailable</h1>\n</body></html>\n"
    ),
    stage: "Proxy",
    failure: "proxy-unavailable",
    reached: false
  },
  {
    name: "Varnish, which says only Via",
    evidence: response(
      403,
      { Via: "1.1 varnish", "Content-Type": "text/html; charset=utf-8" },
      "<!DOCTYPE html>\n<html>\n<body>\n<p>Guru Meditation:</p>\n</body>\n</html>\n"
    ),
    stage: "Proxy",
    failure: "proxy-refused",
    reached: false
  },
  {
    name: "Cloudflare's own number for a refused origin",
    evidence: response(
      521,
      { Server: "cloudflare", "CF-RAY": "8f0a-FRA", "Content-Type": "text/html" },
      "<!DOCTYPE html><html></html>"
    ),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    reached: false
  },
  {
    name: "Uvicorn's parser",
    evidence: response(400, { ...text, connection: "close" }, "Invalid HTTP request received."),
    stage: "Server",
    failure: "server-malformed-request",
    reached: true
  },
  {
    name: "Starlette's 405 in plain text",
    evidence: response(405, { ...text, Server: "nginx", Allow: "GET" }, "Method Not Allowed"),
    stage: "Router",
    failure: "router-method-not-allowed",
    reached: true
  },
  {
    name: "405 in JSON that forgot Allow",
    evidence: response(405, forwarded, "{\"detail\":\"Method Not Allowed\"}"),
    stage: "Router",
    failure: "router-method-not-allowed",
    reached: true
  },
  {
    name: "Flask's page for an exception",
    evidence: response(
      500,
      { Server: "Werkzeug/3.0.1 Python/3.12.1", "Content-Type": "text/html; charset=utf-8" },
      "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"
    ),
    stage: "Handler",
    failure: "handler-unhandled-exception",
    reached: true
  },
  {
    name: "401 without a body",
    evidence: response(401, { "WWW-Authenticate": "Bearer realm=\"users\"", "Content-Length": "0" }),
    stage: "Security",
    failure: "security-invalid-token",
    reached: true
  },
  {
    name: "401 of nginx's own password",
    evidence: response(
      401,
      { ...nginxHeaders, "WWW-Authenticate": "Basic realm=\"Restricted\"" },
      nginxPage(404).replaceAll("404 Not Found", "401 Authorization Required")
    ),
    stage: "Proxy",
    failure: "proxy-login-required",
    reached: false
  },
  {
    name: "401 in JSON without a challenge",
    evidence: response(401, forwarded, "{\"error\":\"token expired\"}"),
    stage: "Security",
    failure: "security-invalid-token",
    reached: true
  },
  {
    name: "a bad Host, in JSON",
    evidence: response(400, problemHeaders, problem(400, "Bad Request", "Host users.example is not allowed")),
    stage: "Middleware",
    failure: "middleware-bad-host",
    reached: true
  },
  {
    name: "a bad origin, in JSON",
    evidence: response(400, forwarded, "{\"error\":\"Origin https://evil.example is not allowed\"}"),
    stage: "Middleware",
    failure: "middleware-origin-rejected",
    reached: true
  },
  {
    name: "field errors under 400 (express-validator)",
    evidence: response(400, forwarded, "{\"errors\":[{\"path\":\"email\",\"msg\":\"Invalid value\"}]}"),
    stage: "Validation",
    failure: "validation-invalid-input",
    reached: true
  },
  {
    name: "an idempotency key used for another payload",
    evidence: response(422, problemHeaders, problem(422, "Idempotency key used for another request")),
    stage: "Dependencies",
    failure: "dependencies-key-reused",
    reached: true
  },
  {
    name: "our own server's problem",
    evidence: response(
      409,
      problemHeaders,
      problem(409, "Changed by another request at the same time", undefined, { stage: "Handler" })
    ),
    stage: "Handler",
    failure: "handler-conflict",
    reached: true
  },
  {
    name: "a 502 with nothing beside it",
    evidence: curl("HTTP/1.1 502 Bad Gateway"),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    reached: false
  },
  {
    name: "curl: a resolver that does not answer",
    evidence: curl("curl: (28) Resolving timed out after 5000 milliseconds"),
    stage: "Dns",
    failure: "dns-unavailable",
    reached: false
  },
  {
    name: "curl: no route",
    evidence: curl("curl: (7) Failed to connect to 10.9.9.9 port 80 after 3066 ms: No route to host"),
    stage: "Connect",
    failure: "connect-unreachable",
    reached: false
  },
  {
    name: "curl: a client certificate that cannot be read",
    evidence: curl("curl: (58) could not load PEM client certificate from client.pem"),
    stage: "Tls",
    failure: "tls-certificate-invalid",
    reached: false
  },
  {
    name: "curl: closed while sending",
    evidence: curl("curl: (55) Send failure: Broken pipe"),
    stage: "Send",
    failure: "send-interrupted",
    reached: false
  },
  {
    name: "curl: reset before an answer",
    evidence: curl("curl: (56) Recv failure: Connection reset by peer"),
    stage: "Server",
    failure: "server-worker-crashed",
    reached: true
  },
  {
    name: "curl: bytes that are not HTTP",
    evidence: curl("curl: (1) Received HTTP/0.9 when not allowed"),
    stage: "Response",
    failure: "response-unreadable",
    reached: true
  },
  {
    name: "Node: no route",
    evidence: {
      _tag: "NodeError",
      code: "EHOSTUNREACH",
      syscall: "connect",
      message: "connect EHOSTUNREACH 10.9.9.9:80"
    },
    stage: "Connect",
    failure: "connect-unreachable",
    reached: false
  },
  {
    name: "Effect: an answer that does not decode",
    evidence: {
      _tag: "NodeError",
      name: "HttpClientError",
      cause: { _tag: "DecodeError", message: "Decode error (200 GET /)" }
    },
    stage: "Response",
    failure: "response-unreadable",
    reached: true
  }
]
