/** Rules for the errors that Node, its fetch and Effect's client raise where no whole answer came. */
import type { ErrorFacts } from "./errorFacts.ts"
import type { Rule } from "./rule.ts"

const noName = /^(?:ENOTFOUND|ENODATA|EAI_NODATA|EAI_NONAME|ENONAME)$/
const noResolver = /^(?:EAI_AGAIN|EAI_FAIL|ESERVFAIL|ETIMEOUT|EREFUSED|EBADRESP)$/
const noRoute = /^(?:EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|EADDRNOTAVAIL|ENETDOWN)$/
const otherName = /^(?:ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/
const badCertificate =
  /^(?:CERT_.*|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*|INVALID_CA|INVALID_PURPOSE|ERROR_IN_CERT_.*|CRL_.*)$/
const badHandshake = /^(?:EPROTO|ERR_SSL_.*|ERR_TLS_(?!CERT_ALTNAME_INVALID).*)$/
const unbuildable =
  /^(?:ERR_INVALID_URL|ERR_INVALID_CHAR|ERR_INVALID_HTTP_TOKEN|ERR_HTTP_INVALID_HEADER_VALUE|ERR_UNESCAPED_CHARACTERS|ERR_INVALID_PROTOCOL|UND_ERR_INVALID_ARG|UND_ERR_REQ_CONTENT_LENGTH_MISMATCH|UND_ERR_NOT_SUPPORTED)$/
const cancelled = /^(?:AbortError|TimeoutError|InterruptedException)$/

/** The connection was closed by the other side, in one of Node's many words. */
const isClosed = (facts: ErrorFacts): boolean =>
  facts.hasCode(/^(?:ECONNRESET|UND_ERR_SOCKET|ERR_SOCKET_CLOSED|ERR_HTTP2_STREAM_ERROR|ERR_HTTP2_SESSION_ERROR)$/) ||
  facts.says(/socket hang up|other side closed/)

const duringHandshake = (facts: ErrorFacts): boolean => facts.says(/before secure tls connection was established/)

/** Node and undici use these words only when status and headers had arrived. */
const afterHead = (facts: ErrorFacts): boolean => facts.says(/^(?:terminated|aborted)$/)

const isConnectTimeout = (facts: ErrorFacts): boolean =>
  facts.hasCode(/^UND_ERR_CONNECT_TIMEOUT$/) ||
  // A probe knows where it stood when its time was up, and gives the same code everywhere.
  (facts.probed === "" || facts.probed === "Connect") && facts.links.some((link) =>
      link.code === "ETIMEDOUT" &&
      (link.syscall === "connect" || link.syscall === "" && !link.message.startsWith("read "))
    )

/** The probe's time was up in this stage. */
const probeEndedIn = (stage: string) => (facts: ErrorFacts): boolean =>
  facts.probed === stage && facts.hasCode(/^ETIMEDOUT$/)

export const errorRules: ReadonlyArray<Rule<ErrorFacts>> = [
  {
    when: (facts) => facts.hasCode(noName),
    stage: "Dns",
    failure: "dns-name-not-found",
    confidence: "certain",
    reached: false,
    evidence: (facts) => `${facts.codeOf(noName)}: the name has no address, so nothing could be called.`
  },
  {
    when: (facts) => facts.hasCode(noResolver) || probeEndedIn("Dns")(facts),
    stage: "Dns",
    failure: "dns-unavailable",
    confidence: "certain",
    reached: false,
    evidence: (facts) =>
      `${facts.codeOf(noResolver) || "The probe's time was up"}: the resolver gave no answer about the name.`
  },
  {
    when: (facts) => facts.hasCode(/^ECONNREFUSED$/),
    stage: "Connect",
    failure: "connect-refused",
    confidence: "certain",
    reached: false,
    evidence: "ECONNREFUSED: the machine answered that nothing listens on that port."
  },
  {
    when: isConnectTimeout,
    stage: "Connect",
    failure: "connect-timeout",
    confidence: "certain",
    reached: false,
    evidence: "The connection attempt timed out: no packet came back from the address."
  },
  {
    when: (facts) => facts.hasCode(noRoute),
    stage: "Connect",
    failure: "connect-unreachable",
    confidence: "certain",
    reached: false,
    evidence: (facts) => `${facts.codeOf(noRoute)}: this machine or a router knows no way to the address.`
  },
  {
    when: (facts) => facts.hasCode(otherName),
    stage: "Tls",
    failure: "tls-hostname-mismatch",
    confidence: "certain",
    reached: false,
    evidence: (facts) => `${facts.codeOf(otherName)}: the certificate is for another name.`
  },
  {
    when: (facts) => facts.hasCode(badCertificate),
    stage: "Tls",
    failure: "tls-certificate-invalid",
    confidence: "certain",
    reached: false,
    evidence: (facts) => `${facts.codeOf(badCertificate)}: a certificate came and is not trusted.`
  },
  {
    when: (facts) => facts.hasCode(badHandshake) || duringHandshake(facts) || probeEndedIn("Tls")(facts),
    stage: "Tls",
    failure: "tls-handshake-failed",
    confidence: "certain",
    reached: false,
    evidence: (facts) =>
      `${facts.codeOf(badHandshake) || "A closed socket"}: the connection stood, but no TLS session was agreed on.`
  },
  {
    when: (facts) =>
      facts.hasCode(unbuildable) || facts.named(/^(?:InvalidUrlError|EncodeError)$/) ||
      // Fetch checks headers before it has an error with a code.
      facts.named(/^TypeError$/) &&
        facts.says(/is an invalid header (?:value|name)|invalid character in header content/),
    stage: "Send",
    failure: "send-request-unbuildable",
    confidence: "certain",
    reached: false,
    evidence: "The client could not write the request; nothing was sent."
  },
  {
    when: (facts) => facts.hasCode(/^EPIPE$/),
    stage: "Send",
    failure: "send-interrupted",
    confidence: "likely",
    reached: false,
    evidence: "EPIPE: the other side closed while the request was being written."
  },
  {
    when: (facts) => isClosed(facts) && afterHead(facts),
    stage: "Response",
    failure: "response-truncated",
    confidence: "certain",
    reached: true,
    evidence: "Status and headers had arrived when the connection closed; the body is cut off."
  },
  {
    when: (facts) =>
      facts.hasCode(
        /^(?:UND_ERR_BODY_TIMEOUT|UND_ERR_RES_CONTENT_LENGTH_MISMATCH|UND_ERR_RES_EXCEEDED_MAX_SIZE|ERR_STREAM_PREMATURE_CLOSE)$/
      ) || probeEndedIn("Response")(facts),
    stage: "Response",
    failure: "response-truncated",
    confidence: "certain",
    reached: true,
    evidence: "The answer had begun; its body stopped or has another length than it announced."
  },
  {
    when: (facts) => isClosed(facts) && !duringHandshake(facts) && !afterHead(facts),
    stage: "Server",
    failure: "server-worker-crashed",
    confidence: "likely",
    reached: true,
    evidence:
      "The connection stood and was closed before a byte of answer; a gateway in between would have answered 502."
  },
  {
    when: (facts) => isClosed(facts) && !duringHandshake(facts) && !afterHead(facts),
    stage: "Send",
    failure: "send-interrupted",
    confidence: "possible",
    reached: false,
    evidence: "A kept-alive connection may have been closed by its idle timeout just as it was used again.",
    advice: "Keep the client's idle timeout below the server's; a repeat on a new connection then works."
  },
  {
    when: (facts) =>
      facts.hasCode(/^(?:HPE_(?!HEADER_OVERFLOW).*|UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW|Z_DATA_ERROR)$/) ||
      facts.named(/^HTTPParserError$/),
    stage: "Response",
    failure: "response-unreadable",
    confidence: "likely",
    reached: true,
    evidence: (facts) =>
      `${
        facts.codeOf(/^(?:HPE_|UND_ERR_HEADERS_OVERFLOW|Z_)/) || "HTTPParserError"
      }: bytes came back that the HTTP parser cannot read: another protocol, or too many headers.`
  },
  {
    when: (facts) => facts.named(/^(?:DecodeError|EmptyBodyError)$/),
    stage: "Response",
    failure: "response-unreadable",
    confidence: "likely",
    reached: true,
    evidence: "An answer came, but its body is not what the client's schema expects."
  },
  {
    when: (facts) =>
      facts.hasCode(/^UND_ERR_HEADERS_TIMEOUT$/) || facts.named(cancelled) || probeEndedIn("Server")(facts) ||
      facts.links.some((link) =>
        link.code === "ETIMEDOUT" && (link.syscall === "read" || link.message.startsWith("read "))
      ),
    stage: "Handler",
    confidence: "possible",
    reached: false,
    evidence: "The client's time was up while it waited; the handler may still be at work.",
    advice: "Look in the application's log for a request that started at that time and has not ended."
  },
  {
    when: (facts) => facts.named(cancelled) && !facts.hasCode(/^UND_ERR_HEADERS_TIMEOUT$/),
    stage: "Connect",
    failure: "connect-timeout",
    confidence: "possible",
    reached: false,
    evidence: "The client gave up, and nothing says whether it had connected by then.",
    advice: "Time the stages apart with client/Probe."
  },
  {
    when: (facts) => facts.hasCode(/^UND_ERR_HEADERS_TIMEOUT$/) || probeEndedIn("Server")(facts),
    stage: "Proxy",
    confidence: "possible",
    reached: false,
    evidence: "A gateway on the way may hold the request.",
    advice: "Ask the application directly, without the gateway."
  }
]
