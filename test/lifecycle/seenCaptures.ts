/** What test/conformance/failures saw over real sockets where a rule had been wrong, or silent. */
import { type Capture, nginxHeaders, response } from "./captures.ts"

const door = { "Content-Type": "application/problem+json", Via: "1.1 door" }
const problem = (status: number, type: string, stage: string): string =>
  JSON.stringify({ type: `urn:problem:${type}`, title: "-", status, requestId: "r-1", stage })

const probeError = (stage: string, message: string): Capture["evidence"] => ({
  _tag: "NodeError",
  cause: { _tag: "ProbeError", stage, code: "ETIMEDOUT", host: "localhost:33381", message }
})
const late = "no complete answer within 500ms"

const log = (text: string): string => `2026/11/21 13:41:09 [info] 31#31: *9 ${text}, client: unix:, server: localhost`

export const seen: ReadonlyArray<Capture> = [
  {
    name: "a probe whose time was up while the server was silent had connected",
    evidence: probeError("Server", `Server failed for localhost:33381: ETIMEDOUT (${late})`),
    stage: "undecided",
    reached: false
  },
  {
    name: "a probe whose time was up while it connected",
    evidence: probeError("Connect", `Connect failed for localhost:33381: ETIMEDOUT (${late})`),
    stage: "Connect",
    failure: "connect-timeout"
  },
  {
    name: "a probe whose time was up in the handshake",
    evidence: probeError("Tls", `Tls failed for localhost:33381: ETIMEDOUT (${late})`),
    stage: "Tls",
    failure: "tls-handshake-failed"
  },
  {
    name: "a probe whose time was up in the lookup",
    evidence: probeError("Dns", `Dns failed for users.example:443: ETIMEDOUT (${late})`),
    stage: "Dns",
    failure: "dns-unavailable"
  },
  {
    name: "a probe whose time was up in the body",
    evidence: probeError("Response", `Response failed for localhost:33381: ETIMEDOUT (${late})`),
    stage: "Response",
    failure: "response-truncated"
  },
  {
    name: "fetch about a header with a line break, without a code",
    evidence: {
      _tag: "NodeError",
      name: "TypeError",
      message: "Headers.append: \"two\nlines\" is an invalid header value."
    },
    stage: "Send",
    failure: "send-request-unbuildable",
    reached: false
  },
  {
    name: "fetch about bytes that are not HTTP, without a code",
    evidence: {
      _tag: "NodeError",
      name: "TypeError",
      message: "fetch failed",
      cause: { name: "HTTPParserError", message: "Expected HTTP/", data: "SSH-2.0-OpenSSH_9.2\r\n" }
    },
    stage: "Response",
    failure: "response-unreadable"
  },
  {
    name: "our gateway's 405, whose type ends with the name of another row too",
    evidence: response(405, { ...door, Allow: "GET" }, problem(405, "method-refused", "Proxy")),
    stage: "Proxy",
    failure: "proxy-method-refused",
    reached: false
  },
  {
    name: "our 400 for a foreign host, whose type shares one word with its row",
    evidence: response(400, { "Content-Type": "application/problem+json" }, problem(400, "host-refused", "Middleware")),
    stage: "Middleware",
    failure: "middleware-bad-host",
    reached: true
  },
  {
    name: "our gateway's 502 for a worker that was killed",
    evidence: response(
      502,
      { ...door, "Proxy-Status": "door; error=connection_terminated" },
      problem(502, "upstream-failed", "Proxy")
    ),
    stage: "Server",
    failure: "server-worker-crashed",
    reached: true
  },
  {
    name: "our gateway's 502 for a port that speaks another protocol",
    evidence: response(
      502,
      { ...door, "Proxy-Status": "door; error=http_protocol_error" },
      problem(502, "x", "Server")
    ),
    stage: "Proxy",
    failure: "proxy-upstream-refused"
  },
  {
    name: "our gateway's 502 after it has tried two backends",
    evidence: response(
      502,
      { ...door, "Proxy-Status": "door; error=connection_refused" },
      problem(502, "upstream-failed", "Balancer")
    ),
    stage: "Balancer",
    failure: "balancer-no-healthy-backend",
    reached: false
  },
  {
    name: "nginx's page for headers that are too large, which says 400",
    evidence: response(
      400,
      nginxHeaders,
      "<html>\r\n<head><title>400 Request Header Or Cookie Too Large</title></head>\r\n<body>\r\n<center><h1>400 Bad Request" +
        "</h1></center>\r\n<center>Request Header Or Cookie Too Large</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    ),
    stage: "Proxy",
    failure: "proxy-headers-too-large"
  },
  {
    name: "nginx closed without a word, and its log says that the client was slow",
    evidence: {
      _tag: "NodeError",
      code: "ECONNRESET",
      message: "socket hang up",
      log: log("client timed out (110: Connection timed out) while reading client request headers")
    },
    stage: "Proxy",
    failure: "proxy-request-timeout",
    reached: false
  },
  {
    name: "nginx passed on what it took for HTTP/0.9, and its log says so",
    evidence: {
      _tag: "NodeError",
      code: "HPE_INVALID_CONSTANT",
      message: "Parse Error: Expected HTTP/, RTSP/ or ICE/",
      log: log("upstream sent no valid HTTP/1.0 header while reading response header from upstream")
    },
    stage: "Proxy",
    failure: "proxy-upstream-refused"
  },
  {
    name: "an answer that broke off, in nginx's words",
    evidence: response(
      200,
      nginxHeaders,
      "{\"items\":[",
      log("upstream prematurely closed connection while reading upstream")
    ),
    stage: "Response",
    failure: "response-truncated",
    reached: true
  }
]
