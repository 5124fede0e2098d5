import { Schema } from "effect"

/**
 * An upstream gave no answer that can be passed on: 502.
 *
 * - `unreachable`: no connection could be made, so it has seen nothing of the request.
 * - `reset`: the connection ended before the answer began.
 * - `malformed`: what came is not HTTP, or not an answer to this request.
 *
 * @category errors
 * @since 0.1.0
 */
export class UpstreamFailed extends Schema.TaggedError<UpstreamFailed>()("UpstreamFailed", {
  pool: Schema.String,
  target: Schema.String,
  reason: Schema.Literals(["unreachable", "reset", "malformed"]),
  /** Of Node, OpenSSL or its HTTP parser. */
  code: Schema.String,
  /** The connection was kept from a request before this one: the target may have closed it without seeing this one. */
  kept: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    return `${this.target} of "${this.pool}" ${why[this.reason]} (${this.code})`
  }
}

const why = {
  unreachable: "cannot be reached: see that it runs and listens on this address",
  reset: "ended the connection before it answered: see its log for a crash",
  malformed: "answered with something that is not HTTP: see that this is the right port"
} as const

/**
 * An upstream was too slow: 504. `connect` is the time until a connection stands, `answer` that from the end of the request
 * to the head of the answer.
 *
 * @category errors
 * @since 0.1.0
 */
export class UpstreamTimeout extends Schema.TaggedError<UpstreamTimeout>()("UpstreamTimeout", {
  pool: Schema.String,
  target: Schema.String,
  phase: Schema.Literals(["connect", "answer"]),
  timeoutMillis: Schema.Finite
}) {
  override get message(): string {
    return `${this.target} of "${this.pool}" did not ${
      this.phase === "connect" ? "take a connection" : "answer"
    } within ${this.timeoutMillis} ms`
  }
}

const unreachable: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "EMFILE"
])

export const failed = (
  pool: string,
  target: string,
  error: NodeJS.ErrnoException,
  connected: boolean
): UpstreamFailed => {
  const code = error.code ?? error.name
  const reason = !connected || unreachable.has(code)
    ? "unreachable"
    : code.startsWith("HPE_") || code === "ERR_SSL_WRONG_VERSION_NUMBER"
    ? "malformed"
    : "reset"
  return new UpstreamFailed({ pool, target, reason, code })
}
