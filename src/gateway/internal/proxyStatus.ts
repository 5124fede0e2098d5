/**
 * `Proxy-Status` (RFC 9209) on what the gateway answers itself: the same 502 for an application that is not there and for
 * one that crashed, told apart without a log. It says what kind of trouble it was, never with whom.
 */
import type { UpstreamFailed, UpstreamTimeout } from "./upstreamFailure.ts"

const dns: ReadonlySet<string> = new Set(["ENOTFOUND", "EAI_AGAIN"])
const unroutable: ReadonlySet<string> = new Set(["EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"])

const ofUpstream = ({ code, reason }: UpstreamFailed): string => {
  if (reason === "reset") return "connection_terminated"
  if (reason === "malformed") return "http_protocol_error"
  if (code === "ECONNREFUSED") return "connection_refused"
  if (dns.has(code)) return "dns_error"
  if (unroutable.has(code)) return "destination_ip_unroutable"
  if (/^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT)/.test(code)) return "tls_certificate_error"
  return /^(?:EPROTO$|ERR_SSL_|ERR_TLS_)/.test(code) ? "tls_protocol_error" : "destination_unavailable"
}

const errorOf = (error: { readonly _tag: string } | undefined, status: number): string => {
  switch (error?._tag) {
    case "UpstreamFailed":
      return ofUpstream(error as UpstreamFailed)
    case "UpstreamTimeout":
      return (error as UpstreamTimeout).phase === "connect" ? "connection_timeout" : "http_response_timeout"
    case "DeadlineExceeded":
      return "http_response_timeout"
    case "NoHealthyUpstream":
    case "CircuitOpen":
      return "destination_unavailable"
    case "NoRoute":
      return "destination_not_found"
    case "LoopDetected":
      return "proxy_loop_detected"
    case "GatewayOverloaded":
    case "BulkheadRejected":
      return "proxy_internal_response"
  }
  return status < 500 || status === 501 || status === 505 ? "http_request_error" : "proxy_internal_error"
}

/** A name is a token of structured fields where it can be one, and a string elsewhere. */
const member = (via: string): string => /^[A-Za-z*][\w!#$%&'*+.^`|~:/-]*$/.test(via) ? via : JSON.stringify(via)

export const proxyStatus = (via: string, error: { readonly _tag: string } | undefined, status: number): string =>
  `${member(via)}; error=${errorOf(error, status)}`
