/** Rules for what curl says when it did not get a whole answer. */
import type { Rule } from "./rule.ts"

export interface CurlFacts {
  readonly exitCode: number | undefined
  /** Everything that was pasted, in lower case. */
  readonly text: string
  readonly connected: boolean
  readonly answered: boolean
}

const exits = (...codes: ReadonlyArray<number>) => (facts: CurlFacts): boolean =>
  facts.exitCode !== undefined && codes.includes(facts.exitCode)
/** The words, unless an answer arrived: then they belong to its body. */
const says = (pattern: RegExp) => (facts: CurlFacts): boolean => !facts.answered && pattern.test(facts.text)

const unresolved = says(
  /could not resolve host|couldn't resolve host|name or service not known|nodename nor servname|no address associated/
)
const unanswered = says(/temporary failure in name resolution|resolving timed out|could not resolve proxy/)
const refused = says(/connection refused/)
const timedOut = says(
  /connection timed out|connection timeout|failed to connect .*timeout was reached|connect: operation timed out/
)
const unreachable = says(/no route to host|network is unreachable|host is unreachable/)
const otherName = says(
  /no alternative certificate subject name|certificate subject name .* does not match|doesn't match (?:target )?host|does not match target host/
)
const badCertificate = says(
  /ssl certificate problem|certificate has expired|self[- ]signed certificate|unable to get local issuer|peer certificate cannot be authenticated/
)
const badHandshake = says(
  /ssl connect error|ssl_error_syscall|ssl_connect|wrong version number|handshake failure|tlsv1.* alert|unexpected eof while reading|schannel:.*handshake|unsupported protocol/
)

export const curlRules: ReadonlyArray<Rule<CurlFacts>> = [
  {
    when: (facts) => unanswered(facts) || exits(5)(facts),
    stage: "Dns",
    failure: "dns-unavailable",
    confidence: "certain",
    reached: false,
    evidence: "curl had no answer from the resolver, so there was no address to call."
  },
  {
    when: (facts) => (exits(6)(facts) || unresolved(facts)) && !unanswered(facts),
    stage: "Dns",
    failure: "dns-name-not-found",
    confidence: "certain",
    reached: false,
    evidence: "curl could not resolve the host (6): there was no address to call."
  },
  {
    when: (facts) => refused(facts) && !badCertificate(facts),
    stage: "Connect",
    failure: "connect-refused",
    confidence: "certain",
    reached: false,
    evidence: "The name has an address, and the machine there refused the connection: nothing listens on that port."
  },
  {
    when: timedOut,
    stage: "Connect",
    failure: "connect-timeout",
    confidence: "certain",
    reached: false,
    evidence: "The name has an address, but nothing at it answered the first packet in time."
  },
  {
    when: unreachable,
    stage: "Connect",
    failure: "connect-unreachable",
    confidence: "certain",
    reached: false,
    evidence: "The network knows no way to the address."
  },
  {
    when: (facts) => exits(7)(facts) && !refused(facts) && !timedOut(facts) && !unreachable(facts),
    stage: "Connect",
    failure: "connect-refused",
    confidence: "likely",
    reached: false,
    evidence:
      "curl could not connect (7) and was told so at once, as a closed port does; newer versions hide the reason."
  },
  {
    when: otherName,
    stage: "Tls",
    failure: "tls-hostname-mismatch",
    confidence: "certain",
    reached: false,
    evidence: "The connection stood and a certificate came, but it is for another name."
  },
  {
    when: (facts) => (badCertificate(facts) || exits(51, 60)(facts)) && !otherName(facts),
    stage: "Tls",
    failure: "tls-certificate-invalid",
    confidence: "certain",
    reached: false,
    evidence: "The connection stood and a certificate came, but curl does not trust it (60)."
  },
  {
    when: (facts) => (badHandshake(facts) || exits(35)(facts)) && !badCertificate(facts) && !otherName(facts),
    stage: "Tls",
    failure: "tls-handshake-failed",
    confidence: "certain",
    reached: false,
    evidence: "The connection stood, but the two sides agreed on no TLS session (35)."
  },
  {
    when: exits(58, 59, 66, 77, 80, 82, 83, 90, 91, 98),
    stage: "Tls",
    failure: "tls-certificate-invalid",
    confidence: "likely",
    reached: false,
    evidence: "curl's exit code speaks of certificates or ciphers."
  },
  {
    when: (facts) =>
      exits(2, 3, 4, 26, 43)(facts) || (exits(1)(facts) && !facts.text.includes("http/0.9")) ||
      says(/url (?:using bad\/illegal format|malformed|rejected)|protocol .* not supported/)(facts),
    stage: "Send",
    failure: "send-request-unbuildable",
    confidence: "certain",
    reached: false,
    evidence: "curl could not make a request out of what it was given; nothing was sent."
  },
  {
    when: (facts) => exits(55)(facts) || says(/send failure/)(facts),
    stage: "Send",
    failure: "send-interrupted",
    confidence: "likely",
    reached: false,
    evidence: "The connection stood and closed while the request was being written (55)."
  },
  {
    when: (facts) => !facts.answered && (exits(52)(facts) || says(/empty reply from server/)(facts)),
    stage: "Server",
    failure: "server-worker-crashed",
    confidence: "likely",
    reached: true,
    evidence:
      "The request was taken and the connection closed without a byte of answer (52); a gateway would have said 502."
  },
  {
    when: (facts) =>
      !facts.answered && !badHandshake(facts) &&
      (exits(56)(facts) || says(/recv failure|connection reset by peer/)(facts)),
    stage: "Server",
    failure: "server-worker-crashed",
    confidence: "likely",
    reached: true,
    evidence: "The connection stood and was reset before an answer: the process behind it ended or refused to go on."
  },
  {
    when: (facts) =>
      exits(18)(facts) || (facts.answered && exits(56, 92, 16)(facts)) ||
      says(/transfer closed with|http\/[23] stream .* was not closed cleanly/)(facts),
    stage: "Response",
    failure: "response-truncated",
    confidence: "certain",
    reached: true,
    evidence: "The answer had begun and ended before it was complete."
  },
  {
    when: (facts) => /operation timed out after \d+ milliseconds with [1-9]\d*/.test(facts.text),
    stage: "Response",
    failure: "response-truncated",
    confidence: "likely",
    reached: true,
    evidence: "A part of the answer had arrived when curl's time was up.",
    advice: "Give curl more time, or look why the body comes slowly."
  },
  {
    when: (facts) => exits(8, 61)(facts) || facts.text.includes("received http/0.9 when not allowed"),
    stage: "Response",
    failure: "response-unreadable",
    confidence: "likely",
    reached: true,
    evidence:
      "Bytes came back, but they are not an HTTP answer that curl can read: another protocol may live on that port."
  },
  {
    when: (facts) => !facts.answered && /operation timed out after \d+ milliseconds with 0 /.test(facts.text),
    stage: "Handler",
    confidence: "possible",
    reached: false,
    evidence: "The request was sent and nothing came back in time; the handler may still be at work.",
    advice: "Look in the application's log for a request that started at that time and has not ended."
  },
  {
    when: (facts) => !facts.answered && /operation timed out after \d+ milliseconds with 0 /.test(facts.text),
    stage: "Proxy",
    confidence: "possible",
    reached: false,
    evidence: "A gateway on the way may hold the request; its own timeout is longer than curl's.",
    advice: "Give curl more time than the gateway has, and see who answers."
  },
  {
    when: (facts) => exits(28)(facts) && !/operation timed out after \d|connection timed out/.test(facts.text),
    stage: "Connect",
    failure: "connect-timeout",
    confidence: "possible",
    reached: false,
    evidence: "curl's time was up (28), and nothing says how far it had come.",
    advice: "Repeat it with -v: the last line shows the step that hung."
  }
]
