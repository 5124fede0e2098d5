/** Captured failures: texts as curl, Node, nginx, AWS, HAProxy, Envoy, Uvicorn and our own server write them. */
import type { Diagnosis, Failure, Stage } from "effect-lifecycle/lifecycle"

export interface Capture {
  readonly name: string
  readonly evidence: Diagnosis.Evidence
  readonly stage: Stage.StageName | "undecided"
  readonly failure?: Failure.FailureId | undefined
  readonly reached?: boolean
}

type Headers = Record<string, string>

export const response = (status: number, headers: Headers, body?: unknown, log?: string): Diagnosis.Evidence => ({
  _tag: "Response",
  status,
  headers,
  ...(body === undefined ? {} : { body }),
  ...(log === undefined ? {} : { log })
})

export const curl = (text: string, exitCode?: number): Diagnosis.Evidence => ({ _tag: "Curl", text, exitCode })

const words: Record<number, string> = {
  404: "404 Not Found",
  405: "405 Not Allowed",
  413: "413 Request Entity Too Large",
  429: "429 Too Many Requests",
  500: "500 Internal Server Error",
  502: "502 Bad Gateway",
  503: "503 Service Temporarily Unavailable",
  504: "504 Gateway Time-out"
}

export const nginxHeaders: Headers = { Server: "nginx/1.25.3", "Content-Type": "text/html", Connection: "keep-alive" }

export const nginxPage = (status: number): string =>
  `<html>\r\n<head><title>${words[status]}</title></head>\r\n<body>\r\n<center><h1>${words[status]}</h1></center>\r\n` +
  `<hr><center>nginx/1.25.3</center>\r\n</body>\r\n</html>\r\n`

/** The AWS balancer's page is nginx's without the signature. */
export const awsPage = (status: number): string =>
  `<html>\r\n<head><title>${words[status]}</title></head>\r\n<body>\r\n<center><h1>${
    words[status]
  }</h1></center>\r\n</body>\r\n</html>\r\n`

export const awsHeaders: Headers = { Server: "awselb/2.0", "Content-Type": "text/html", "Content-Length": "122" }

export const haproxyPage = (status: number, sentence: string): string =>
  `<html><body><h1>${words[status]}</h1>\n${sentence}\n</body></html>\n`

/** nginx signs what it forwards, so an application's answer carries its name too. */
export const forwarded: Headers = { Server: "nginx/1.25.3", "Content-Type": "application/json" }

export const problemHeaders: Headers = {
  Server: "nginx/1.25.3",
  "Content-Type": "application/problem+json",
  "X-Request-Id": "0190d3f2-7c1b-7e55-9a6e-6f3f5c1d2e3a"
}

/** A problem as other people's servers write it: without our `stage` member. */
export const problem = (status: number, title: string, detail?: string, extra?: object): string =>
  JSON.stringify({ type: "about:blank", title, status, ...(detail === undefined ? {} : { detail }), ...extra })

const fieldErrors = JSON.stringify({
  detail: [{
    type: "string_type",
    loc: ["body", "email"],
    msg: "Input should be a valid string",
    input: 42
  }]
})

/** The six captures of the lesson's Level 1, in its order. */
export const levelOne: ReadonlyArray<Capture> = [
  {
    name: "1: a host that does not resolve",
    evidence: curl("curl: (6) Could not resolve host: api.example.com"),
    stage: "Dns",
    failure: "dns-name-not-found",
    reached: false
  },
  {
    name: "2: a bare 413 in nginx's words",
    evidence: curl("HTTP/1.1 413 Request Entity Too Large"),
    stage: "Proxy",
    failure: "proxy-body-too-large",
    reached: false
  },
  {
    name: "3: a 502 with nginx's page",
    evidence: curl(
      `HTTP/1.1 502 Bad Gateway\nServer: nginx/1.25.3\nContent-Type: text/html\nContent-Length: 157\n\n${
        nginxPage(502)
      }`
    ),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    reached: false
  },
  {
    name: "4: a 422 with a list of fields",
    evidence: curl(
      `HTTP/1.1 422 Unprocessable Entity\nserver: uvicorn\ncontent-type: application/json\n\n${fieldErrors}`
    ),
    stage: "Validation",
    failure: "validation-invalid-input",
    reached: true
  },
  {
    name: "5: a 404 with JSON that says only Not Found",
    evidence: curl("HTTP/1.1 404 Not Found\nContent-Type: application/json\n\n{\"detail\": \"Not Found\"}"),
    stage: "Router",
    failure: "router-path-not-found",
    reached: true
  },
  {
    name: "6: a bare 504",
    evidence: curl("HTTP/1.1 504 Gateway Timeout"),
    stage: "Proxy",
    failure: "proxy-upstream-timeout",
    reached: true
  }
]

/** One capture for each row of the lesson's table; `neighbour` is a row that its number fits as well. */
export const lessonRows: ReadonlyArray<Capture & { readonly row: number; readonly neighbour: Failure.FailureId }> = [
  {
    row: 1,
    neighbour: "connect-refused",
    name: "no name: a TypeError of fetch, as for every other row without HTTP",
    evidence: {
      _tag: "NodeError",
      name: "TypeError",
      message: "fetch failed",
      cause: { code: "ENOTFOUND", syscall: "getaddrinfo", message: "getaddrinfo ENOTFOUND api.example.com" }
    },
    stage: "Dns",
    failure: "dns-name-not-found",
    reached: false
  },
  {
    row: 2,
    neighbour: "connect-timeout",
    name: "refused: exit 7 of a machine that is there",
    evidence: curl(
      [
        "*   Trying 127.0.0.1:8000...",
        "* connect to 127.0.0.1 port 8000 failed: Connection refused",
        "* Failed to connect to 127.0.0.1 port 8000 after 1 ms: Couldn't connect to server",
        "* Closing connection 0",
        "curl: (7) Failed to connect to 127.0.0.1 port 8000 after 1 ms: Couldn't connect to server"
      ].join("\n")
    ),
    stage: "Connect",
    failure: "connect-refused",
    reached: false
  },
  {
    row: 3,
    neighbour: "tls-hostname-mismatch",
    name: "an untrusted certificate: exit 60, as for a wrong name",
    evidence: curl(
      [
        "* Connected to localhost (127.0.0.1) port 38307 (#0)",
        "* ALPN: offers h2,http/1.1",
        "* TLSv1.3 (IN), TLS handshake, Certificate (11):",
        "* TLSv1.3 (OUT), TLS alert, unknown CA (560):",
        "* SSL certificate problem: self-signed certificate",
        "* Closing connection 0",
        "curl: (60) SSL certificate problem: self-signed certificate",
        "More details here: https://curl.se/docs/sslcerts.html"
      ].join("\n")
    ),
    stage: "Tls",
    failure: "tls-certificate-invalid",
    reached: false
  },
  {
    row: 4,
    neighbour: "proxy-upstream-refused",
    name: "502 from the AWS balancer, whose page lacks only nginx's signature",
    evidence: response(502, awsHeaders, awsPage(502)),
    stage: "Balancer",
    failure: "balancer-no-healthy-backend",
    reached: false
  },
  {
    row: 5,
    neighbour: "proxy-upstream-timeout",
    name: "504 from HAProxy",
    evidence: response(
      504,
      { "Cache-Control": "no-cache", "Content-Type": "text/html" },
      haproxyPage(504, "The server didn't respond in time.")
    ),
    stage: "Balancer",
    failure: "balancer-backend-timeout",
    reached: true
  },
  {
    row: 6,
    neighbour: "validation-body-too-large",
    name: "413 on nginx's page",
    evidence: response(413, { ...nginxHeaders, Connection: "close" }, nginxPage(413)),
    stage: "Proxy",
    failure: "proxy-body-too-large",
    reached: false
  },
  {
    row: 7,
    neighbour: "server-worker-crashed",
    name: "502 on nginx's page, with the log of a refused connection",
    evidence: response(
      502,
      nginxHeaders,
      nginxPage(502),
      "2026/11/21 10:00:00 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.9, server: api.example.com, request: \"POST /users HTTP/1.1\", upstream: \"http://127.0.0.1:8000/users\""
    ),
    stage: "Proxy",
    failure: "proxy-upstream-refused",
    reached: false
  },
  {
    row: 8,
    neighbour: "middleware-deadline-exceeded",
    name: "504 on nginx's page",
    evidence: response(504, nginxHeaders, nginxPage(504)),
    stage: "Proxy",
    failure: "proxy-upstream-timeout",
    reached: true
  },
  {
    row: 9,
    neighbour: "proxy-upstream-refused",
    name: "the same 502 page, with the log of a closed connection",
    evidence: curl(
      `HTTP/1.1 502 Bad Gateway\nServer: nginx/1.25.3\nContent-Type: text/html\n\n${nginxPage(502)}\n` +
        "2026/11/21 10:00:00 [error] 31#31: *9 upstream prematurely closed connection while reading response header from upstream, client: 10.0.0.9, server: api.example.com, request: \"POST /users HTTP/1.1\""
    ),
    stage: "Server",
    failure: "server-worker-crashed",
    reached: true
  },
  {
    row: 10,
    neighbour: "dependencies-not-permitted",
    name: "401 with a challenge",
    evidence: response(401, { ...forwarded, "WWW-Authenticate": "Bearer" }, "{\"detail\":\"Not authenticated\"}"),
    stage: "Security",
    failure: "security-invalid-token",
    reached: true
  },
  {
    row: 11,
    neighbour: "proxy-rate-limited",
    name: "429 in JSON",
    evidence: response(
      429,
      { ...forwarded, "Retry-After": "30", "X-RateLimit-Remaining": "0" },
      "{\"error\":\"Rate limit exceeded: 5 per 1 minute\"}"
    ),
    stage: "Middleware",
    failure: "middleware-quota-exceeded",
    reached: true
  },
  {
    row: 12,
    neighbour: "validation-malformed-json",
    name: "400 for a preflight",
    evidence: response(
      400,
      { Server: "uvicorn", "Content-Type": "text/plain; charset=utf-8", Vary: "Origin" },
      "Disallowed CORS origin"
    ),
    stage: "Middleware",
    failure: "middleware-origin-rejected",
    reached: true
  },
  {
    row: 13,
    neighbour: "handler-not-found",
    name: "404 that names no thing",
    evidence: response(404, forwarded, "{\"detail\":\"Not Found\"}"),
    stage: "Router",
    failure: "router-path-not-found",
    reached: true
  },
  {
    row: 14,
    neighbour: "proxy-method-refused",
    name: "405 with Allow",
    evidence: response(405, { ...forwarded, Allow: "GET, POST" }, "{\"detail\":\"Method Not Allowed\"}"),
    stage: "Router",
    failure: "router-method-not-allowed",
    reached: true
  },
  {
    row: 15,
    neighbour: "proxy-refused",
    name: "403 of a check that knows the caller",
    evidence: response(403, forwarded, "{\"detail\":\"Not enough permissions\"}"),
    stage: "Dependencies",
    failure: "dependencies-not-permitted",
    reached: true
  },
  {
    row: 16,
    neighbour: "handler-rule-refused",
    name: "422 with JSON pointers",
    evidence: response(
      422,
      problemHeaders,
      problem(422, "Unprocessable Content", undefined, {
        errors: [{ detail: "must be an email address", pointer: "/email" }]
      })
    ),
    stage: "Validation",
    failure: "validation-invalid-input",
    reached: true
  },
  {
    row: 17,
    neighbour: "proxy-misconfigured",
    name: "500 of an exception that nobody caught, through nginx",
    evidence: response(
      500,
      { Server: "nginx/1.25.3", "Content-Type": "text/plain; charset=utf-8", "Content-Length": "21" },
      "Internal Server Error"
    ),
    stage: "Handler",
    failure: "handler-unhandled-exception",
    reached: true
  },
  {
    row: 18,
    neighbour: "router-path-not-found",
    name: "404 that names the thing",
    evidence: response(404, forwarded, "{\"detail\":\"User 42 not found\"}"),
    stage: "Handler",
    failure: "handler-not-found",
    reached: true
  }
]
