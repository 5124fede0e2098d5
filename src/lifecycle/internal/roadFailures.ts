/** The failures of the road up to the application, as data. */
import type { Failure } from "../Failure.ts"

export const road = [
  {
    id: "dns-name-not-found",
    stage: "Dns",
    lessonRow: 1,
    failure: "Name not found",
    status: null,
    clientError: "curl: (6) Could not resolve host; ENOTFOUND",
    cause: "The name has no address: a typing error, a deleted record, or a change that has not spread yet.",
    fix: "Compare the name with `dig NAME`; restore the record or correct the configured host.",
    logLine: "none: no packet left for the server",
    loggedBy: "nowhere on the server; only the client's own log"
  },
  {
    id: "dns-unavailable",
    stage: "Dns",
    failure: "Resolver does not answer",
    status: null,
    clientError: "Temporary failure in name resolution; EAI_AGAIN",
    cause: "The resolver is unreachable or overloaded, so nothing is known about the name.",
    fix: "Check the resolver in /etc/resolv.conf and the way to it; try again, as this often passes.",
    logLine: "none: no packet left for the server",
    loggedBy: "nowhere on the server; only the client's own log"
  },
  {
    id: "connect-refused",
    stage: "Connect",
    lessonRow: 2,
    failure: "Connection refused",
    status: null,
    clientError: "curl: (7) Connection refused; ECONNREFUSED",
    cause:
      "The machine answered, but nothing listens on that port: the process is down or bound to another port or address.",
    fix: "Start the process, or correct the port; look with `ss -ltn` on the machine.",
    logLine: "none: the kernel refuses before any program sees it",
    loggedBy: "nowhere on the server; only the client's own log"
  },
  {
    id: "connect-timeout",
    stage: "Connect",
    failure: "Connection timed out",
    status: null,
    clientError: "curl: (28) Connection timed out; ETIMEDOUT, UND_ERR_CONNECT_TIMEOUT",
    cause: "Packets to that address disappear: a firewall drops them, the machine is off, or the address is wrong.",
    fix: "Check firewall and security group, then the address the name resolves to.",
    logLine: "none, or a counter of dropped packets",
    loggedBy: "the firewall, where it logs what it drops"
  },
  {
    id: "connect-unreachable",
    stage: "Connect",
    failure: "No route to the host",
    status: null,
    clientError: "No route to host; EHOSTUNREACH, ENETUNREACH",
    cause: "A router or this machine knows no way to the address.",
    fix: "Check routes, VPN and whether the network speaks IPv6.",
    logLine: "none: no packet reached the server",
    loggedBy: "nowhere on the server; only the client's own log"
  },
  {
    id: "tls-certificate-invalid",
    stage: "Tls",
    lessonRow: 3,
    failure: "Certificate invalid",
    status: null,
    clientError: "curl: (60) SSL certificate problem; CERT_HAS_EXPIRED, DEPTH_ZERO_SELF_SIGNED_CERT",
    cause: "The certificate has expired, signs itself, or its chain is incomplete.",
    fix: "Renew the certificate or send the whole chain; for a private authority give the client its root.",
    logLine:
      "SSL_do_handshake() failed (SSL: error:0A000415:SSL routines::sslv3 alert certificate expired) while SSL handshaking",
    loggedBy: "the error log of whoever terminates TLS, at level info"
  },
  {
    id: "tls-hostname-mismatch",
    stage: "Tls",
    failure: "Certificate is for another name",
    status: null,
    clientError: "curl: (60) no alternative certificate subject name matches; ERR_TLS_CERT_ALTNAME_INVALID",
    cause: "The certificate is valid, but not for the name that was asked for.",
    fix: "Ask for a name in the certificate, or issue one that lists this name.",
    logLine: "none: the client hangs up after it has read the certificate",
    loggedBy: "nowhere on the server; only the client's own log"
  },
  {
    id: "tls-handshake-failed",
    stage: "Tls",
    failure: "Handshake failed",
    status: null,
    clientError: "curl: (35) SSL connect error; EPROTO, ERR_SSL_WRONG_VERSION_NUMBER",
    cause: "The two sides do not speak the same protocol: TLS to a plain port, or no version or cipher in common.",
    fix: "Check scheme and port first, then the versions and ciphers that both sides allow.",
    logLine: "SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol) while SSL handshaking",
    loggedBy: "the error log of whoever terminates TLS"
  },
  {
    id: "send-request-unbuildable",
    stage: "Send",
    failure: "Request could not be built",
    status: null,
    clientError: "curl: (3) URL malformed; ERR_INVALID_URL, ERR_INVALID_CHAR, EncodeError",
    cause: "The client's own code made an address, a header or a body that cannot be written as HTTP.",
    fix: "Correct the value that the message names; nothing was sent.",
    logLine: "none: nothing was sent",
    loggedBy: "nowhere on the server; only the client's own log"
  },
  {
    id: "send-interrupted",
    stage: "Send",
    failure: "Connection closed while sending",
    status: null,
    clientError: "curl: (55) Send failure: Broken pipe; EPIPE",
    cause:
      "The other side closed while the request was still being written, often because the body was too large for it.",
    fix: "Send less or ask for `Expect: 100-continue`; look for a 413 in the proxy's log at that time.",
    logLine: "\"POST /upload HTTP/1.1\" 413 0",
    loggedBy: "the proxy's access log, where it read the headers"
  },
  {
    id: "balancer-no-healthy-backend",
    stage: "Balancer",
    lessonRow: 4,
    failure: "All backends down",
    status: 502,
    cause: "The balancer has no backend that it may use, or the one it chose could not be reached.",
    fix: "Look at the health checks and at the path they ask for; start backends or correct the target's port.",
    logLine: "elb_status_code=502 target_status_code=-",
    loggedBy: "the balancer's access log; nothing in the application's"
  },
  {
    id: "balancer-unavailable",
    stage: "Balancer",
    failure: "No healthy backend, said as 503",
    status: 503,
    cause:
      "The same emptiness in the words of balancers that answer 503: no target is registered or every health check fails.",
    fix: "Look at the health checks and at the path they ask for; register or start backends.",
    logLine: "no_healthy_upstream response_flags=UH",
    loggedBy: "the balancer's access log; nothing in the application's"
  },
  {
    id: "balancer-backend-timeout",
    stage: "Balancer",
    lessonRow: 5,
    failure: "Backend timeout",
    status: 504,
    cause: "The backend took the request but did not answer within the balancer's idle timeout.",
    fix: "Find the request that never ended in the application's log; keep inner timeouts below outer ones.",
    logLine: "elb_status_code=504 target_processing_time=-1",
    loggedBy: "the balancer's access log; the application may log the request later"
  },
  {
    id: "proxy-body-too-large",
    stage: "Proxy",
    lessonRow: 6,
    failure: "Body over the proxy's limit",
    status: 413,
    cause: "The body is larger than `client_max_body_size` (1 MB unless set).",
    fix: "Raise the limit for this path if such bodies are legitimate.",
    logLine: "client intended to send too large body: 5242880 bytes",
    loggedBy: "the proxy's error log; the application never saw it"
  },
  {
    id: "proxy-upstream-refused",
    stage: "Proxy",
    lessonRow: 7,
    failure: "Application not running",
    status: 502,
    cause: "The proxy called the application and nothing listened, or what came back was not HTTP.",
    fix: "Start the application or correct the upstream's port.",
    logLine: "connect() failed (111: Connection refused) while connecting to upstream",
    loggedBy: "the proxy's error log; nothing in the application's"
  },
  {
    id: "proxy-upstream-timeout",
    stage: "Proxy",
    lessonRow: 8,
    failure: "Application too slow for the proxy",
    status: 504,
    cause: "The application took the request and did not answer within `proxy_read_timeout`.",
    fix: "Find the request that never ended in the application's log: a slow query, a slow call, a deadlock.",
    logLine: "upstream timed out (110: Connection timed out) while reading response header from upstream",
    loggedBy: "the proxy's error log; the application may log the request later"
  },
  {
    id: "proxy-not-found",
    stage: "Proxy",
    failure: "No location for the path",
    status: 404,
    cause: "The proxy looked for a file or found no location that forwards this path.",
    fix: "Add or correct the location that forwards to the application.",
    logLine: "open() \"/usr/share/nginx/html/users\" failed (2: No such file or directory)",
    loggedBy: "the proxy's error log; nothing in the application's"
  },
  {
    id: "proxy-unavailable",
    stage: "Proxy",
    failure: "Proxy refuses for now",
    status: 503,
    cause: "The proxy limits this address, is under maintenance, or has marked every upstream as down.",
    fix: "Look for `limiting requests` or `no live upstreams` in its error log.",
    logLine: "limiting requests, excess: 5.320 by zone \"perip\"",
    loggedBy: "the proxy's error log; nothing in the application's"
  },
  {
    id: "proxy-rate-limited",
    stage: "Proxy",
    failure: "Too many requests from one address",
    status: 429,
    cause: "The proxy's coarse limit by address was reached, before anybody knew who asks.",
    fix: "Send less often, or raise `limit_req` for this path.",
    logLine: "limiting requests, excess: 20.400 by zone \"perip\"",
    loggedBy: "the proxy's error log; nothing in the application's"
  },
  {
    id: "proxy-refused",
    stage: "Proxy",
    failure: "Proxy refuses the request",
    status: 403,
    cause: "A rule of the proxy (address list, firewall rule, missing file permission) forbids it.",
    fix: "Look for `access forbidden by rule` in its error log.",
    logLine: "access forbidden by rule",
    loggedBy: "the proxy's error log; nothing in the application's"
  },
  {
    id: "proxy-bad-request",
    stage: "Proxy",
    failure: "Proxy cannot read the request",
    status: 400,
    cause: "The request is not valid HTTP for the proxy, or plain HTTP came to its TLS port.",
    fix: "Check scheme and port, header size and characters.",
    logLine: "client sent plain HTTP request to HTTPS port while reading client request headers",
    loggedBy: "the proxy's error log, at level info"
  },
  {
    id: "proxy-request-timeout",
    stage: "Proxy",
    failure: "Request did not reach the proxy in time",
    status: 408,
    cause: "The client began a request and stopped: headers or body stood still for longer than the proxy waits.",
    fix: "Look at the client's network; `client_header_timeout` and `client_body_timeout` say how long nginx waits.",
    logLine: "client timed out (110: Connection timed out) while reading client request headers",
    loggedBy: "the proxy's error log, at level info; nginx closes without an answer"
  },
  {
    id: "proxy-uri-too-long",
    stage: "Proxy",
    failure: "URI over the proxy's limit",
    status: 414,
    cause: "The request line is longer than one of `large_client_header_buffers` (8 kB unless set).",
    fix: "Move long parameters into a body, or raise the limit.",
    logLine: "client sent too long URI while reading client request line",
    loggedBy: "the proxy's error log, at level info; nothing in the application's"
  },
  {
    id: "proxy-headers-too-large",
    stage: "Proxy",
    failure: "Headers over the proxy's limit",
    status: 431,
    cause: "One header, or all of them, exceed the proxy's buffers; nginx says 400 for it.",
    fix: "Send fewer cookies or shorter tokens, or raise `large_client_header_buffers`.",
    logLine: "client sent too long header line: \"x-large: aaaa...\" while reading client request headers",
    loggedBy: "the proxy's error log, at level info; nothing in the application's"
  },
  {
    id: "proxy-login-required",
    stage: "Proxy",
    failure: "Proxy asks for a login",
    status: 401,
    cause: "A password on the proxy itself protects this path, before the application is asked.",
    fix: "Send the proxy's credentials, or take `auth_basic` off this path.",
    logLine: "no user/password was provided for basic authentication",
    loggedBy: "the proxy's error log; nothing in the application's"
  },
  {
    id: "proxy-method-refused",
    stage: "Proxy",
    failure: "Proxy allows no such method",
    status: 405,
    cause: "The path is served by the proxy itself (a static file), or a rule limits its methods.",
    fix: "Forward this path to the application, or use GET.",
    logLine: "\"POST /users HTTP/1.1\" 405 157",
    loggedBy: "the proxy's access log; nothing in the application's"
  },
  {
    id: "proxy-misconfigured",
    stage: "Proxy",
    failure: "Proxy fails by itself",
    status: 500,
    cause: "The proxy's own configuration leads in a circle, or it lacks files, workers or memory.",
    fix: "Look for `rewrite or internal redirection cycle` or `worker_connections are not enough` in its error log.",
    logLine: "rewrite or internal redirection cycle while processing \"/users\"",
    loggedBy: "the proxy's error log; nothing in the application's"
  }
] as const satisfies ReadonlyArray<Omit<Failure, "id"> & { readonly id: string }>
