/** The rows: the lesson's eighteen, what this library adds to them, and what each looks like when it happens. */
import { Effect } from "effect"
import {
  answeredByApplication,
  byGateway,
  byNginx,
  type Expected,
  type Request,
  type Row,
  type ServerRow
} from "./row.ts"
import type { DoorName } from "./doors.ts"
import * as network from "./network.ts"
import type { Failure } from "effect-lifecycle/lifecycle"

const user = JSON.stringify({ name: "canary-body-3f77", email: "a@example.com" })
const post = (path: string, body: string, headers: Request["headers"] = {}): Request => ({
  method: "POST",
  path,
  body,
  headers
})
const key = (value: string) => ({ "idempotency-key": value })
const order = JSON.stringify({ items: ["tea"], note: "canary-body-3f77" })

/** A row that the application answers. */
const inside = (
  failure: Failure.FailureId,
  fault: string,
  request: Request,
  more: Partial<Omit<ServerRow, "kind" | "failure" | "fault" | "request">> = {}
): ServerRow => ({
  kind: "server",
  failure,
  fault,
  behind: ["application"],
  request,
  // A GET is sent again where the application says 502, 503 or 504; one is enough here.
  gatewayOptions: { upstream: { retries: { attempts: 1 } } },
  at: answeredByApplication(failure),
  ...more
})

/** A row that a door answers. */
const door = (
  failure: Failure.FailureId,
  fault: string,
  more: Partial<Omit<ServerRow, "kind" | "failure" | "fault">> & Pick<ServerRow, "at">
): ServerRow => ({ kind: "server", failure, fault, behind: ["application"], request: {}, ...more })

const slow = (): Request => post("/orders", JSON.stringify({ items: ["slow"], note: "canary-body-3f77" }), key("k-3"))
const patch = (version: string): Request => ({
  method: "PATCH",
  path: "/users/u-1",
  body: user,
  headers: { "if-match": version }
})

/** The application's own listener answers: no request has come into being, so no other log has a line. */
const byServer = (failure: Failure.FailureId, status: number): Expected => ({
  status,
  form: "problem",
  stage: "Server",
  failure,
  id: "answer",
  lines: { application: status }
})
const gone = (lines: Expected["lines"]): Expected => ({
  status: undefined,
  form: "none",
  stage: "undecided",
  failure: undefined,
  id: "logs",
  lines
})
const torn = (lines: Expected["lines"]): Expected => ({
  ...gone(lines),
  stage: "Response",
  failure: "response-truncated"
})

/** No refusal: the browser misses the headers that would let its page read the answer. */
const withoutCors = (door: DoorName): Expected => ({
  status: 204,
  form: "empty",
  stage: "undecided",
  failure: undefined,
  id: "answer",
  lines: { [door]: 204, application: 204 }
})

const everyClient = ["node", "fetch", "probe", "effect", "curl"] as const
/** A trusted authority cannot be given to `fetch`. */
const tlsClients = ["node", "probe", "effect", "curl"] as const

/** Rows that nothing of ours can be brought to show, and why. */
export const unseen: Readonly<Partial<Record<Failure.FailureId, string>>> = {
  "send-interrupted":
    "a race that the kernel decides: of the same closed connection curl says (55) or (56), and Node always ECONNRESET",
  "balancer-unavailable": "the 503 of HAProxy, Envoy and AWS; our gateway and nginx say 502 for it",
  "server-shutting-down": "our server finishes what it has taken and stops listening: a door sees a refused connection"
}

export const rows: ReadonlyArray<Row> = [
  // Before any HTTP
  {
    kind: "client",
    failure: "dns-name-not-found",
    fault: "a name server that knows no such name",
    cause: () => network.nameServer("NXDOMAIN"),
    clients: ["node"],
    code: "ENOTFOUND"
  },
  {
    kind: "client",
    failure: "dns-unavailable",
    fault: "a name server that never answers",
    cause: () => network.nameServer("silence"),
    clients: ["node"],
    code: "ETIMEOUT"
  },
  {
    kind: "client",
    failure: "dns-unavailable",
    fault: "a name server that fails",
    cause: () => network.nameServer("SERVFAIL"),
    clients: ["node"],
    code: "ESERVFAIL"
  },
  {
    kind: "client",
    failure: "connect-refused",
    fault: "a port that nobody listens on",
    cause: () => network.closed,
    clients: everyClient,
    code: "ECONNREFUSED"
  },
  {
    kind: "client",
    failure: "connect-timeout",
    fault: "a listener with a full backlog: packets are dropped",
    cause: () => network.fullBacklog,
    clients: ["probe", "curl"],
    code: "ETIMEDOUT"
  },
  {
    kind: "client",
    failure: "connect-unreachable",
    fault: "an address that no connection can be made to",
    cause: () => Effect.succeed({ url: "http://224.0.0.1/" }),
    clients: ["node", "fetch", "probe", "effect"],
    code: "ENETUNREACH"
  },
  {
    kind: "client",
    failure: "tls-certificate-invalid",
    fault: "a certificate that has expired",
    cause: ({ expired }) => network.tls(expired),
    clients: tlsClients,
    code: "CERT_HAS_EXPIRED"
  },
  {
    kind: "client",
    failure: "tls-certificate-invalid",
    fault: "a certificate of an authority that is not trusted",
    cause: ({ stranger }) => network.tls(stranger),
    clients: [...tlsClients, "fetch"],
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
  },
  {
    kind: "client",
    failure: "tls-certificate-invalid",
    fault: "a certificate that signs itself",
    cause: ({ selfSigned }) => network.tls(selfSigned),
    clients: [...tlsClients, "fetch"],
    code: "DEPTH_ZERO_SELF_SIGNED_CERT"
  },
  {
    kind: "client",
    failure: "tls-hostname-mismatch",
    fault: "a good certificate for another name",
    cause: ({ otherName }) => network.tls(otherName),
    clients: tlsClients,
    code: "ERR_TLS_CERT_ALTNAME_INVALID"
  },
  {
    kind: "client",
    failure: "tls-handshake-failed",
    fault: "https to a port that speaks plain HTTP",
    cause: () => network.plainBehindHttps,
    clients: everyClient,
    code: "EPROTO"
  },
  {
    kind: "client",
    failure: "tls-handshake-failed",
    fault: "no TLS version in common",
    cause: ({ good }) => network.tls(good, { maxVersion: "TLSv1.2" }),
    clients: ["node"],
    code: "EPROTO"
  },
  {
    kind: "client",
    failure: "tls-handshake-failed",
    fault: "a server that closes in the middle of the handshake",
    cause: () => network.closesDuringHandshake,
    clients: everyClient,
    code: "ECONNRESET"
  },
  {
    kind: "client",
    failure: "send-request-unbuildable",
    fault: "a header with a line break in it",
    cause: () => Effect.map(network.closed, (target) => ({ ...target, headers: { "x-note": "two\nlines" } })),
    clients: ["node", "fetch", "probe"],
    code: "ERR_INVALID_CHAR"
  },
  {
    kind: "client",
    failure: "server-worker-crashed",
    fault: "a server that takes the request and closes, with nothing in front of it",
    cause: () => network.closesAfterRequest,
    clients: everyClient,
    code: "ECONNRESET"
  },
  {
    kind: "client",
    failure: undefined,
    fault: "a port that takes the request and stays silent",
    cause: () => network.silent,
    clients: ["probe", "curl", "fetch"],
    code: "ETIMEDOUT"
  },
  {
    kind: "client",
    failure: "response-truncated",
    fault: "an answer that ends before its announced length",
    cause: () => network.answers("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    clients: everyClient,
    code: "ECONNRESET"
  },
  {
    kind: "client",
    failure: "response-unreadable",
    fault: "another protocol on that port",
    cause: () => network.answers("SSH-2.0-OpenSSH_9.2\r\n"),
    clients: everyClient,
    code: "HPE_INVALID_CONSTANT"
  },

  // The balancer and the proxy
  door("balancer-no-healthy-backend", "two targets, and neither port is listened on", {
    behind: ["closed", "closed"],
    at: {
      gateway: byGateway("balancer-no-healthy-backend", "Balancer", 502),
      nginx: byNginx("proxy-upstream-refused", 502)
    }
  }),
  door("balancer-no-healthy-backend", "all targets are taken out after failures", {
    behind: ["closed", "closed"],
    before: {},
    gatewayOptions: { upstream: { ejection: { failures: 1, duration: "1 minute" } } },
    at: {
      gateway: byGateway("balancer-no-healthy-backend", "Balancer", 502),
      nginx: byNginx("proxy-upstream-refused", 502, { nginxLog: "no live upstreams while connecting to upstream" })
    }
  }),
  door("balancer-backend-timeout", "two targets that take the request and stay silent", {
    behind: ["silent", "silent"],
    gatewayOptions: { timeouts: { answer: "100 millis" } },
    nginxOptions: { location: "proxy_read_timeout 100ms;" },
    at: {
      gateway: byGateway("balancer-backend-timeout", "Balancer", 504),
      nginx: byNginx("proxy-upstream-timeout", 504)
    }
  }),
  door("proxy-body-too-large", "a body over the door's limit", {
    request: post("/users", JSON.stringify({ name: "canary-body-3f77".repeat(200) })),
    gatewayOptions: { limits: { bodyBytes: 1000 } },
    nginxOptions: { server: "client_max_body_size 1000;" },
    at: {
      gateway: byGateway("proxy-body-too-large", "Proxy", 413),
      nginx: byNginx("proxy-body-too-large", 413)
    }
  }),
  door("proxy-upstream-refused", "the application is not running", {
    behind: ["closed"],
    at: {
      gateway: byGateway("proxy-upstream-refused", "Proxy", 502),
      nginx: byNginx("proxy-upstream-refused", 502)
    }
  }),
  door("proxy-upstream-refused", "the upstream's port speaks another protocol", {
    behind: ["noise"],
    at: {
      gateway: byGateway("proxy-upstream-refused", "Proxy", 502),
      // Nginx takes what has no head for HTTP/0.9, and passes it on as it is.
      nginx: {
        status: undefined,
        form: "none",
        stage: "Response",
        failure: "response-unreadable",
        withLog: { stage: "Proxy", failure: "proxy-upstream-refused" },
        nginxLog: "upstream sent no valid HTTP/1.0 header while reading response header from upstream",
        id: "logs",
        lines: { nginx: 9 }
      }
    }
  }),
  door("proxy-upstream-timeout", "a handler slower than the door's patience", {
    request: { path: "/slow" },
    gatewayOptions: { timeouts: { answer: "100 millis" }, upstream: { retries: { attempts: 1 } } },
    nginxOptions: { location: "proxy_read_timeout 100ms;" },
    at: {
      gateway: byGateway("proxy-upstream-timeout", "Proxy", 504, { lines: { gateway: 504, application: 499 } }),
      nginx: byNginx("proxy-upstream-timeout", 504, { lines: { nginx: 504, application: 499 } })
    }
  }),
  door("proxy-not-found", "a path that leads nowhere", {
    request: { path: "/nowhere" },
    gatewayOptions: { prefix: "/users" },
    nginxOptions: { instead: "location /users { proxy_pass http://application; }" },
    at: {
      gateway: byGateway("proxy-not-found", "Proxy", 404),
      nginx: byNginx("proxy-not-found", 404)
    }
  }),
  door("proxy-unavailable", "the door has as much to do as it takes on", {
    beside: { path: "/slow" },
    gatewayOptions: { limits: { concurrency: 1, queue: 0 } },
    nginxOptions: {
      http: "limit_conn_zone $server_name zone=all:1m;",
      server: "limit_conn all 1;"
    },
    at: {
      gateway: byGateway("proxy-unavailable", "Proxy", 503),
      nginx: byNginx("proxy-unavailable", 503, { nginxLog: "limiting connections by zone \"all\"" })
    }
  }),
  door("proxy-rate-limited", "a second request of one address within its window", {
    before: {},
    gatewayOptions: { limits: { rate: { requests: 1, window: "1 minute" } } },
    nginxOptions: {
      http: "limit_req_zone $binary_remote_addr zone=perip:1m rate=1r/m;",
      server: "limit_req zone=perip; limit_req_status 429;"
    },
    at: {
      gateway: byGateway("proxy-rate-limited", "Proxy", 429),
      nginx: byNginx("proxy-rate-limited", 429)
    }
  }),
  door("proxy-refused", "a rule that denies the path", {
    nginxOptions: { instead: "location / { deny all; }" },
    at: { nginx: byNginx("proxy-refused", 403) }
  }),
  door("proxy-login-required", "a password on the proxy itself", {
    request: { token: null },
    nginxOptions: { instead: "location / { auth_basic staff; auth_basic_user_file users; }" },
    at: { nginx: byNginx("proxy-login-required", 401) }
  }),
  door("proxy-bad-request", "two lengths in one request", {
    request: {
      raw: "POST /users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nCookie: COOKIE\r\n" +
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!"
    },
    at: {
      gateway: byGateway("proxy-bad-request", "Proxy", 400),
      nginx: byNginx("proxy-bad-request", 400, {
        nginxLog: "client sent duplicate header line: \"Content-Length: 3\""
      })
    }
  }),
  door("proxy-headers-too-large", "headers over the door's limit", {
    request: { headers: { "x-large": "a".repeat(40_000) } },
    at: {
      gateway: byGateway("proxy-headers-too-large", "Proxy", 431),
      nginx: byNginx("proxy-headers-too-large", 400)
    }
  }),
  door("proxy-uri-too-long", "a target over the door's limit", {
    request: { path: `/users/${"a".repeat(40_000)}` },
    at: {
      gateway: byGateway("proxy-uri-too-long", "Proxy", 414),
      nginx: byNginx("proxy-uri-too-long", 414)
    }
  }),
  door("proxy-request-timeout", "a client that stops in the middle of its headers", {
    request: { raw: "GET /users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nX-Slow: " },
    gatewayOptions: { timeouts: { headers: "200 millis" } },
    nginxOptions: { server: "client_header_timeout 200ms;" },
    at: {
      gateway: byGateway("proxy-request-timeout", "Proxy", 408),
      // Nginx closes without a word.
      nginx: {
        status: undefined,
        form: "none",
        stage: "Server",
        failure: "server-worker-crashed",
        withLog: { stage: "Proxy", failure: "proxy-request-timeout" },
        id: "logs",
        lines: { nginx: 408 }
      }
    }
  }),
  door("proxy-method-refused", "a method that does not pass this door", {
    request: {
      raw: "TRACE /terms.txt HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
    },
    at: {
      gateway: byGateway("proxy-method-refused", "Proxy", 405),
      nginx: byNginx("proxy-method-refused", 405, { nginxLog: "client sent TRACE method" })
    }
  }),
  door("proxy-misconfigured", "a rewrite that leads to itself", {
    nginxOptions: { instead: "location / { rewrite ^ /again/$request_id; }" },
    at: { nginx: byNginx("proxy-misconfigured", 500) }
  }),

  // The application's process
  door("server-worker-crashed", "the worker is killed in the middle of a request", {
    behind: ["worker"],
    request: { path: "/crash" },
    gatewayOptions: { upstream: { retries: { attempts: 1 } } },
    at: {
      gateway: byGateway("server-worker-crashed", "Server", 502),
      nginx: byNginx("proxy-upstream-refused", 502, {
        withLog: { stage: "Server", failure: "server-worker-crashed" }
      })
    }
  }),
  door("server-malformed-request", "bytes that are no request", {
    request: { raw: "GET /users HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer TOKEN\r\n\r\n" },
    at: { direct: byServer("server-malformed-request", 400) }
  }),
  door("server-request-timeout", "a client that stops in the middle of its headers", {
    request: { raw: "GET /users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nX-Slow: " },
    at: { direct: byServer("server-request-timeout", 408) }
  }),
  door("server-uri-too-long", "a target over the parser's limit", {
    request: { path: `/users/${"a".repeat(40_000)}` },
    at: { direct: byServer("server-uri-too-long", 414) }
  }),
  door("server-headers-too-large", "headers that pass the door and are too large for the application", {
    request: { headers: { "x-large": "a".repeat(20_000) } },
    gatewayOptions: { limits: { headerBytes: 65_536 } },
    nginxOptions: { server: "large_client_header_buffers 4 64k;" },
    // The parser gave up before it came to the door's id, so the application's line has another one.
    at: {
      gateway: { ...byServer("server-headers-too-large", 431), lines: { gateway: 431 }, ownId: true },
      nginx: { ...byServer("server-headers-too-large", 431), lines: { nginx: 431 }, ownId: true }
    }
  }),

  // The application
  inside("middleware-deadline-exceeded", "a handler slower than the application's deadline", { path: "/slow" }),
  inside("middleware-quota-exceeded", "a second request where the quota is one", {}, {
    behind: ["frugal"],
    before: {}
  }),
  door("middleware-origin-rejected", "the preflight of a page whose origin is not on the list", {
    request: {
      method: "OPTIONS",
      token: null,
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" }
    },
    at: { gateway: withoutCors("gateway"), nginx: withoutCors("nginx") }
  }),
  inside("middleware-bad-host", "a host that is not on the list", { headers: { host: "evil.example" } }),
  inside("middleware-overloaded", "a second request where one is all there is room for", {}, {
    behind: ["small"],
    beside: { path: "/slow" }
  }),
  inside("security-invalid-token", "no token", { token: null }),
  inside("security-invalid-token", "a token that nobody knows", { token: "canary-token-wrong" }),
  inside("security-forbidden", "a caller who may not come in here", { path: "/admin" }),
  inside("router-path-not-found", "a path that no route has", { path: "/userz" }),
  inside("router-method-not-allowed", "a method that this path does not answer", { method: "DELETE" }),
  inside("router-method-unknown", "a method that no route could have", { method: "PURGE" }),
  inside("dependencies-not-permitted", "the account of somebody else", { path: "/accounts/2" }),
  inside("dependencies-key-missing", "an order without an idempotency key", post("/orders", order)),
  inside("dependencies-key-reused", "the key of another order", post("/orders", order, key("k-1")), {
    before: post("/orders", JSON.stringify({ items: ["milk"] }), key("k-1"))
  }),
  inside("dependencies-already-running", "the same order while the first is under way", slow(), { beside: slow() }),
  inside("dependencies-precondition-invalid", "an If-Match with two versions", patch("\"3\", \"4\"")),
  inside("dependencies-version-stale", "an old version in If-Match", patch("\"2\"")),
  inside("dependencies-version-missing", "a change without If-Match", {
    method: "PATCH",
    path: "/users/u-1",
    body: user
  }),
  inside(
    "validation-invalid-input",
    "two fields that are wrong",
    post("/users", "{\"name\":\"\",\"email\":\"canary-body-3f77\"}")
  ),
  inside("validation-not-acceptable", "an answer in XML", { headers: { accept: "application/xml" } }),
  inside("validation-malformed-json", "a body that ends too early", post("/users", "{\"name\":\"canary-body-3f77\"")),
  inside(
    "validation-media-type",
    "a form in place of JSON",
    post("/users", "name=canary-body-3f77", {
      "content-type": "application/x-www-form-urlencoded"
    })
  ),
  inside(
    "validation-body-too-large",
    "a body that passes the door and is too large for the application",
    post("/users", JSON.stringify({ name: "canary-body-3f77".repeat(5_000) }))
  ),
  inside("handler-unhandled-exception", "a bug in a handler", { path: "/defect" }),
  inside("handler-unhandled-exception", "a pool of connections that is exhausted, and nobody translates the error", {
    path: "/rows/untranslated"
  }, {
    behind: ["database"],
    beside: { path: "/rows/hold" }
  }),
  inside("handler-not-found", "a user who does not exist", { path: "/users/u-9" }),
  inside(
    "handler-conflict",
    "a name that is taken",
    post("/users", "{\"name\":\"taken\",\"email\":\"a@example.com\"}")
  ),
  inside("handler-rule-refused", "an order without items", post("/orders", "{\"items\":[]}", key("k-2"))),
  inside("handler-dependency-failed", "a service behind the application that is not running", { path: "/payment" }),
  inside("handler-dependency-unavailable", "a pool of connections that is exhausted", { path: "/rows" }, {
    behind: ["database"],
    beside: { path: "/rows/hold" }
  }),
  door("response-client-gone", "a client that leaves before the answer", {
    request: { path: "/slow" },
    leavesAfterMillis: 150,
    at: {
      gateway: gone({ gateway: 499, application: 499 }),
      nginx: gone({ nginx: 499, application: 499 })
    }
  }),
  door("response-truncated", "a handler that fails after the first byte", {
    request: { path: "/torn" },
    at: {
      gateway: torn({ gateway: 200, application: 200 }),
      nginx: torn({ nginx: 200, application: 200 })
    }
  }),
  door("response-truncated", "the worker is killed in the middle of an answer", {
    behind: ["worker"],
    request: { path: "/crash/late" },
    at: { gateway: torn({ gateway: 200 }), nginx: torn({ nginx: 200 }) }
  })
]
