/** Captures of what clients say where no whole answer came. */
import type { Diagnosis } from "effect-lifecycle/lifecycle"
import { type Capture, curl, nginxPage } from "./captures.ts"

const fetchFailed = (cause: unknown): Diagnosis.Evidence => ({
  _tag: "NodeError",
  name: "TypeError",
  message: "fetch failed",
  cause
})

/** What Node's fetch and sockets raise, as captured from Node 24. */
export const nodeErrors: ReadonlyArray<Capture> = [
  {
    name: "EAI_AGAIN",
    evidence: {
      _tag: "NodeError",
      code: "EAI_AGAIN",
      syscall: "getaddrinfo",
      message: "getaddrinfo EAI_AGAIN api.example.com"
    },
    stage: "Dns",
    failure: "dns-unavailable",
    reached: false
  },
  {
    name: "ECONNREFUSED of both address families, in an aggregate",
    evidence: fetchFailed({
      name: "AggregateError",
      code: "ECONNREFUSED",
      message: "",
      errors: [
        { code: "ECONNREFUSED", syscall: "connect", message: "connect ECONNREFUSED ::1:4100" },
        { code: "ECONNREFUSED", syscall: "connect", message: "connect ECONNREFUSED 127.0.0.1:4100" }
      ]
    }),
    stage: "Connect",
    failure: "connect-refused",
    reached: false
  },
  {
    name: "an aggregate whose members alone carry the code",
    evidence: { _tag: "NodeError", errors: [{ code: "ENETUNREACH" }, { code: "ETIMEDOUT", syscall: "connect" }] },
    stage: "Connect",
    failure: "connect-timeout",
    reached: false
  },
  {
    name: "UND_ERR_CONNECT_TIMEOUT",
    evidence: fetchFailed({
      name: "ConnectTimeoutError",
      code: "UND_ERR_CONNECT_TIMEOUT",
      message: "Connect Timeout Error"
    }),
    stage: "Connect",
    failure: "connect-timeout",
    reached: false
  },
  {
    name: "ETIMEDOUT while connecting",
    evidence: {
      _tag: "NodeError",
      code: "ETIMEDOUT",
      syscall: "connect",
      message: "connect ETIMEDOUT 203.0.113.1:443"
    },
    stage: "Connect",
    failure: "connect-timeout",
    reached: false
  },
  {
    name: "ETIMEDOUT while reading is not a connection's timeout",
    evidence: { _tag: "NodeError", code: "ETIMEDOUT", syscall: "read", message: "read ETIMEDOUT" },
    stage: "undecided",
    reached: false
  },
  ...["CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"].map((code): Capture => ({
    name: code,
    evidence: fetchFailed({ code, message: "certificate has expired" }),
    stage: "Tls",
    failure: "tls-certificate-invalid",
    reached: false
  })),
  {
    name: "ERR_TLS_CERT_ALTNAME_INVALID",
    evidence: fetchFailed({
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
      message:
        "Hostname/IP does not match certificate's altnames: Host: localhost. is not in the cert's altnames: DNS:other.example"
    }),
    stage: "Tls",
    failure: "tls-hostname-mismatch",
    reached: false
  },
  {
    name: "TLS to a port that speaks plain HTTP",
    evidence: fetchFailed({
      code: "ERR_SSL_WRONG_VERSION_NUMBER",
      message: "error:0A00010B:SSL routines:tls_validate_record_header:wrong version number"
    }),
    stage: "Tls",
    failure: "tls-handshake-failed",
    reached: false
  },
  {
    name: "EPROTO",
    evidence: {
      _tag: "NodeError",
      code: "EPROTO",
      syscall: "write",
      message: "write EPROTO ssl3_read_bytes:tlsv1 alert"
    },
    stage: "Tls",
    failure: "tls-handshake-failed",
    reached: false
  },
  {
    name: "ECONNRESET in the middle of a handshake",
    evidence: {
      _tag: "NodeError",
      code: "ECONNRESET",
      message: "Client network socket disconnected before secure TLS connection was established"
    },
    stage: "Tls",
    failure: "tls-handshake-failed",
    reached: false
  },
  {
    name: "ECONNRESET before an answer",
    evidence: { _tag: "NodeError", code: "ECONNRESET", message: "socket hang up" },
    stage: "Server",
    failure: "server-worker-crashed",
    reached: true
  },
  {
    name: "UND_ERR_SOCKET before an answer",
    evidence: fetchFailed({ name: "SocketError", code: "UND_ERR_SOCKET", message: "other side closed" }),
    stage: "Server",
    failure: "server-worker-crashed",
    reached: true
  },
  {
    name: "the same UND_ERR_SOCKET after status and headers",
    evidence: {
      _tag: "NodeError",
      name: "TypeError",
      message: "terminated",
      cause: { name: "SocketError", code: "UND_ERR_SOCKET", message: "other side closed" }
    },
    stage: "Response",
    failure: "response-truncated",
    reached: true
  },
  {
    name: "UND_ERR_BODY_TIMEOUT",
    evidence: fetchFailed({ code: "UND_ERR_BODY_TIMEOUT", message: "Body Timeout Error" }),
    stage: "Response",
    failure: "response-truncated",
    reached: true
  },
  {
    name: "UND_ERR_HEADERS_TIMEOUT: handler or gateway, nobody knows",
    evidence: fetchFailed({ code: "UND_ERR_HEADERS_TIMEOUT", message: "Headers Timeout Error" }),
    stage: "undecided",
    reached: false
  },
  {
    name: "HPE_INVALID_CONSTANT",
    evidence: fetchFailed({ name: "HTTPParserError", code: "HPE_INVALID_CONSTANT", message: "Expected HTTP/" }),
    stage: "Response",
    failure: "response-unreadable",
    reached: true
  },
  {
    name: "ERR_INVALID_URL",
    evidence: { _tag: "NodeError", name: "TypeError", code: "ERR_INVALID_URL", message: "Invalid URL" },
    stage: "Send",
    failure: "send-request-unbuildable",
    reached: false
  },
  {
    name: "EPIPE",
    evidence: { _tag: "NodeError", code: "EPIPE", syscall: "write", message: "write EPIPE" },
    stage: "Send",
    failure: "send-interrupted",
    reached: false
  },
  {
    name: "a client's own timeout says nothing of the server",
    evidence: { _tag: "NodeError", name: "TimeoutError", message: "The operation was aborted due to timeout" },
    stage: "undecided",
    reached: false
  }
]

/** curl's words where no whole answer came, as captured from curl 7.88 and 8. */
export const curlErrors: ReadonlyArray<Capture> = [
  {
    name: "(28) before the connection stood",
    evidence: curl("curl: (28) Failed to connect to 203.0.113.1 port 443 after 3001 ms: Timeout was reached"),
    stage: "Connect",
    failure: "connect-timeout",
    reached: false
  },
  {
    name: "(28) Connection timed out",
    evidence: curl("curl: (28) Connection timed out after 3001 milliseconds"),
    stage: "Connect",
    failure: "connect-timeout",
    reached: false
  },
  {
    name: "(28) while waiting for the first byte",
    evidence: curl(
      "* Connected to 127.0.0.1 (127.0.0.1) port 4100 (#0)\n> GET /hang HTTP/1.1\n> \n* Operation timed out after 3000 milliseconds with 0 bytes received\ncurl: (28) Operation timed out after 3000 milliseconds with 0 bytes received"
    ),
    stage: "undecided",
    reached: false
  },
  {
    name: "(28) in the middle of the body",
    evidence: curl("curl: (28) Operation timed out after 3000 milliseconds with 512 out of 4096 bytes received"),
    stage: "Response",
    failure: "response-truncated",
    reached: true
  },
  {
    name: "(7) in the words of curl 8, which hide the reason",
    evidence: curl("curl: (7) Failed to connect to localhost port 4100 after 0 ms: Could not connect to server"),
    stage: "Connect",
    failure: "connect-refused",
    reached: false
  },
  {
    name: "(60) for another name",
    evidence: curl("curl: (60) SSL: no alternative certificate subject name matches target host name 'localhost'"),
    stage: "Tls",
    failure: "tls-hostname-mismatch",
    reached: false
  },
  {
    name: "(35) TLS to a plain port",
    evidence: curl("curl: (35) OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number"),
    stage: "Tls",
    failure: "tls-handshake-failed",
    reached: false
  },
  {
    name: "(52) no byte of answer",
    evidence: curl(
      "* Connected to 127.0.0.1 (127.0.0.1) port 45663 (#0)\n> GET /reset HTTP/1.1\n> \n* Empty reply from server\n* Closing connection 0\ncurl: (52) Empty reply from server"
    ),
    stage: "Server",
    failure: "server-worker-crashed",
    reached: true
  },
  {
    name: "(18) a 200 that ends early",
    evidence: curl(
      "< HTTP/1.1 200 OK\n< content-length: 100\n< Date: Sat, 21 Nov 2026 04:34:05 GMT\n< \n{ [3 bytes data]\n* transfer closed with 97 bytes remaining to read\n* Closing connection 0\ncurl: (18) transfer closed with 97 bytes remaining to read\n"
    ),
    stage: "Response",
    failure: "response-truncated",
    reached: true
  },
  {
    name: "(3) an address that is none",
    evidence: curl("curl: (3) URL using bad/illegal format or missing URL"),
    stage: "Send",
    failure: "send-request-unbuildable",
    reached: false
  },
  {
    name: "an exit code without a text",
    evidence: curl("", 6),
    stage: "Dns",
    failure: "dns-name-not-found",
    reached: false
  },
  {
    name: "(22) hides the answer and keeps only its number",
    evidence: curl("curl: (22) The requested URL returned error: 404"),
    stage: "undecided",
    reached: false
  },
  {
    name: "only nginx's page, as curl prints it without -i",
    evidence: curl(nginxPage(404)),
    stage: "Proxy",
    failure: "proxy-not-found",
    reached: false
  },
  {
    name: "only FastAPI's JSON, as curl prints it without -i",
    evidence: curl("{\"detail\":\"Not Found\"}"),
    stage: "Router",
    failure: "router-path-not-found",
    reached: true
  }
]
