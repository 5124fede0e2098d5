/** The failures inside the application and on the way back, as data. */
import type { Failure } from "../Failure.ts"

export const server = [
  {
    id: "server-worker-crashed",
    stage: "Server",
    lessonRow: 9,
    failure: "Worker ended during the request",
    status: 502,
    clientError: "curl: (52) Empty reply from server; ECONNRESET, UND_ERR_SOCKET",
    cause:
      "The application's process took the connection and closed it without an answer: it crashed, was killed, or was restarted.",
    fix: "Look for the process's end at that time: exit code, out-of-memory kill, deployment.",
    logLine: "upstream prematurely closed connection while reading response header from upstream",
    loggedBy: "the proxy's error log; the process supervisor's log"
  },
  {
    id: "server-malformed-request",
    stage: "Server",
    failure: "Bytes are not a request",
    status: 400,
    cause: "The HTTP parser could not read the request: a broken line, a wrong length, no Host.",
    fix: "Correct the client that wrote it; compare the raw bytes.",
    logLine: "Parse Error: Invalid method encountered (HPE_INVALID_METHOD)",
    loggedBy: "the server's `clientError` event; no access line, as there was no request"
  },
  {
    id: "server-request-timeout",
    stage: "Server",
    failure: "Request did not arrive in time",
    status: 408,
    cause: "The client opened a connection but did not finish its headers or body in time.",
    fix: "Look at the client's network; a proxy that buffers requests keeps slow clients away.",
    logLine: "Request timeout (ERR_HTTP_REQUEST_TIMEOUT)",
    loggedBy: "the server's `clientError` event; no access line"
  },
  {
    id: "server-headers-too-large",
    stage: "Server",
    failure: "Headers too large",
    status: 431,
    cause: "The request's headers exceed the parser's limit (16 kB in Node).",
    fix: "Send fewer cookies or shorter tokens, or raise `maxHeaderSize`.",
    logLine: "Parse Error: Header overflow (HPE_HEADER_OVERFLOW)",
    loggedBy: "the server's `clientError` event; no access line"
  },
  {
    id: "server-uri-too-long",
    stage: "Server",
    failure: "URI too long",
    status: 414,
    cause: "The request's target is longer than the parser takes (16 kB with the headers in Node).",
    fix: "Move long parameters into a body, or raise `maxHeaderSize`.",
    logLine: "Parse Error: Header overflow (HPE_HEADER_OVERFLOW)",
    loggedBy: "the server's `clientError` event; no access line"
  },
  {
    id: "server-shutting-down",
    stage: "Server",
    failure: "Server is stopping",
    status: 503,
    cause: "The process is draining before it ends and takes no new work.",
    fix: "Try again: another instance takes over, or this one is back in a moment.",
    logLine: "\"GET /users/{id}\" 503 request_id=...",
    loggedBy: "the application's access log; the process supervisor's log"
  },
  {
    id: "middleware-quota-exceeded",
    stage: "Middleware",
    lessonRow: 11,
    failure: "Quota exceeded",
    status: 429,
    cause: "The caller used up the requests of its window.",
    fix: "Wait as long as `Retry-After` says; ask for a larger quota.",
    logLine: "\"POST /orders\" 429 request_id=... user_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "middleware-origin-rejected",
    stage: "Middleware",
    lessonRow: 12,
    failure: "Origin rejected",
    status: 400,
    clientError: "the browser reports a CORS error",
    cause: "The page's origin is not on the list, so a preflight is refused or the headers are left out.",
    fix: "Add the origin to the allowed list, if it is yours.",
    logLine: "\"OPTIONS /orders\" 400 request_id=...",
    loggedBy: "the application's access log; the browser's console"
  },
  {
    id: "middleware-bad-host",
    stage: "Middleware",
    failure: "Host not allowed",
    status: 400,
    cause: "The Host header is not one that this service answers for.",
    fix: "Send the right Host, or make the proxy pass it on (`proxy_set_header Host $host`).",
    logLine: "\"GET /\" 400 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "middleware-overloaded",
    stage: "Middleware",
    failure: "Refused to stay alive",
    status: 503,
    cause: "The service has as much work as it can do, or is draining before it stops.",
    fix: "Wait as long as `Retry-After` says, then try again; add capacity if it lasts.",
    logLine: "\"POST /orders\" 503 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "middleware-deadline-exceeded",
    stage: "Middleware",
    failure: "The caller's time was up",
    status: 504,
    cause: "The time that the caller gave was spent before the answer was ready; the work was stopped.",
    fix: "Find the slow part in the trace; give more time or do less.",
    logLine: "\"POST /orders\" 504 duration_ms=2000 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "security-invalid-token",
    stage: "Security",
    lessonRow: 10,
    failure: "Missing or invalid token",
    status: 401,
    cause: "No credentials came, or they are expired or not ours.",
    fix: "Send a valid token as `WWW-Authenticate` asks for.",
    logLine: "\"POST /users\" 401 request_id=... user_id=-",
    loggedBy: "the application's access log"
  },
  {
    id: "security-forbidden",
    stage: "Security",
    failure: "Identity without the right",
    status: 403,
    cause: "The token is valid, but this identity may not come in here.",
    fix: "Ask with another identity, or give this one the right.",
    logLine: "\"POST /users\" 403 request_id=... user_id=alice",
    loggedBy: "the application's access log"
  },
  {
    id: "router-path-not-found",
    stage: "Router",
    lessonRow: 13,
    failure: "No route for the path",
    status: 404,
    cause: "The application has no route for this path.",
    fix: "Correct the path; compare with the route table or openapi.json.",
    logLine: "\"GET /userz\" 404 route=- request_id=...",
    loggedBy: "the application's access log, without a route"
  },
  {
    id: "router-method-not-allowed",
    stage: "Router",
    lessonRow: 14,
    failure: "Method not allowed",
    status: 405,
    cause: "The path exists, but not with this method.",
    fix: "Use a method that `Allow` lists.",
    logLine: "\"DELETE /users\" 405 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "router-method-unknown",
    stage: "Router",
    failure: "Method nobody knows",
    status: 501,
    cause: "No path of this service knows the method at all.",
    fix: "Correct the method's spelling.",
    logLine: "\"FROB /users\" 501 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "dependencies-not-permitted",
    stage: "Dependencies",
    lessonRow: 15,
    failure: "A check before the handler refused",
    status: 403,
    cause:
      "The route's own check (scope, role, ownership) refused a caller who is known; some frameworks say 401 here too.",
    fix: "Give the caller the right that the answer names, or ask with another identity.",
    logLine: "\"POST /orders\" 403 request_id=... user_id=88",
    loggedBy: "the application's access log; the handler leaves nothing"
  },
  {
    id: "dependencies-key-missing",
    stage: "Dependencies",
    failure: "Idempotency key missing",
    status: 400,
    cause: "This operation must not run twice, and the request has no `Idempotency-Key`.",
    fix: "Send a new unique `Idempotency-Key`, and the same one on every repeat.",
    logLine: "\"POST /orders\" 400 request_id=... user_id=88",
    loggedBy: "the application's access log"
  },
  {
    id: "dependencies-precondition-invalid",
    stage: "Dependencies",
    failure: "If-Match cannot be read",
    status: 400,
    cause: "`If-Match` holds something else than one strong ETag of this server.",
    fix: "Send the `ETag` as it was received, quotes included.",
    logLine: "\"PATCH /users/{id}\" 400 request_id=... user_id=88",
    loggedBy: "the application's access log"
  },
  {
    id: "dependencies-key-reused",
    stage: "Dependencies",
    failure: "Idempotency key of another request",
    status: 422,
    cause: "The key was used before with another payload.",
    fix: "Use a new key for a new payload, and the old payload for a repeat.",
    logLine: "\"POST /orders\" 422 request_id=... user_id=88",
    loggedBy: "the application's access log"
  },
  {
    id: "dependencies-already-running",
    stage: "Dependencies",
    failure: "Same request still running",
    status: 409,
    cause: "A request with this idempotency key has not ended yet.",
    fix: "Wait and repeat with the same key; the answer will be the first one's.",
    logLine: "\"POST /orders\" 409 request_id=... user_id=88",
    loggedBy: "the application's access log"
  },
  {
    id: "dependencies-version-stale",
    stage: "Dependencies",
    failure: "Version is stale",
    status: 412,
    cause: "`If-Match` names a version that is no longer the current one.",
    fix: "Read again, apply the change to what you read, and send the new `ETag`.",
    logLine: "\"PATCH /users/{id}\" 412 request_id=... user_id=88",
    loggedBy: "the application's access log"
  },
  {
    id: "dependencies-version-missing",
    stage: "Dependencies",
    failure: "Version required",
    status: 428,
    cause: "This change must name the version it starts from, and the request has no `If-Match`.",
    fix: "Read first, then send its `ETag` as `If-Match`.",
    logLine: "\"PATCH /users/{id}\" 428 request_id=... user_id=88",
    loggedBy: "the application's access log"
  },
  {
    id: "validation-malformed-json",
    stage: "Validation",
    failure: "Body is not JSON",
    status: 400,
    cause: "The body says it is JSON but does not parse.",
    fix: "Correct the syntax; the message names the place.",
    logLine: "\"POST /users\" 400 request_id=...",
    loggedBy: "the application's access log, never the body"
  },
  {
    id: "validation-not-acceptable",
    stage: "Validation",
    failure: "No acceptable media type",
    status: 406,
    cause: "The caller accepts no media type that the route can write.",
    fix: "Accept application/json.",
    logLine: "\"GET /users/{id}\" 406 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "validation-body-too-large",
    stage: "Validation",
    failure: "Body over the application's limit",
    status: 413,
    cause: "The body is larger than the route accepts.",
    fix: "Send less, or raise the route's limit if such bodies are legitimate.",
    logLine: "\"POST /users\" 413 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "validation-media-type",
    stage: "Validation",
    failure: "Media type not supported",
    status: 415,
    cause: "The body's `Content-Type` is one that the route does not read.",
    fix: "Send `Content-Type: application/json` and a JSON body.",
    logLine: "\"POST /users\" 415 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "validation-invalid-input",
    stage: "Validation",
    lessonRow: 16,
    failure: "Invalid body or parameters",
    status: 422,
    cause: "The request was understood, but fields do not match their schema.",
    fix: "Correct every field that the answer lists.",
    logLine: "\"POST /users\" 422 request_id=...",
    loggedBy: "the application's access log, never the body"
  },
  {
    id: "handler-unhandled-exception",
    stage: "Handler",
    lessonRow: 17,
    failure: "Unhandled exception",
    status: 500,
    cause: "A bug, or a dependency's error that nobody translated.",
    fix: "Find the stack by the request id and repair the cause; give the failure a type.",
    logLine: "ERROR [request_id] TypeError: Cannot read properties of undefined",
    loggedBy: "the application's error log, with the request id"
  },
  {
    id: "handler-not-found",
    stage: "Handler",
    lessonRow: 18,
    failure: "The thing does not exist",
    status: 404,
    cause: "The route ran, and the handler found no such thing.",
    fix: "Check the id; this is an answer, not a fault.",
    logLine: "\"GET /users/{id}\" 404 request_id=...",
    loggedBy: "the application's access log, with its route"
  },
  {
    id: "handler-conflict",
    stage: "Handler",
    failure: "Conflict with the current state",
    status: 409,
    cause: "The change contradicts what is stored: a name is taken, a version has moved on.",
    fix: "Read the current state and decide again.",
    logLine: "\"POST /users\" 409 request_id=...",
    loggedBy: "the application's access log"
  },
  {
    id: "handler-rule-refused",
    stage: "Handler",
    failure: "A business rule refused",
    status: 422,
    cause: "Every field is well formed, but the application's rules say no.",
    fix: "Read the answer's detail; this is a decision, not a fault.",
    logLine: "\"POST /orders/{id}/payment\" 422 request_id=...",
    loggedBy: "the application's access log, with its route"
  },
  {
    id: "handler-dependency-failed",
    stage: "Handler",
    failure: "A service behind it failed",
    status: 502,
    cause: "The handler called another service and got no usable answer.",
    fix: "Follow the request id into that service's log.",
    logLine: "\"POST /orders/{id}/payment\" 502 request_id=...",
    loggedBy: "the application's access log, and the other service's"
  },
  {
    id: "handler-dependency-unavailable",
    stage: "Handler",
    failure: "Database or service not available",
    status: 503,
    cause: "The handler lost its database or a service it cannot do without.",
    fix: "Look at that dependency; the application recovers by itself when it is back.",
    logLine: "StoreUnavailable: terminating connection due to administrator command (57P01)",
    loggedBy: "the application's error log, with the request id"
  },
  {
    id: "response-client-gone",
    stage: "Response",
    failure: "The client left before the answer",
    status: 499,
    cause: "The client closed the connection while the answer was being made: its patience was shorter than the work.",
    fix: "Compare the client's timeout with the duration in this line; pass a deadline along.",
    logLine: "\"GET /reports\" 499 duration_ms=30000 request_id=...",
    loggedBy: "the access log of the application or proxy; no client ever reads this status"
  },
  {
    id: "response-truncated",
    stage: "Response",
    failure: "The answer ended early",
    status: null,
    clientError: "curl: (18) transfer closed; UND_ERR_BODY_TIMEOUT, terminated",
    cause:
      "Status and headers arrived, then the connection ended before the body did: a stream failed or the process stopped.",
    fix: "Look for an error after the first byte in the application's log under the request id.",
    logLine: "upstream prematurely closed connection while reading upstream",
    loggedBy: "the proxy's error log; the application's error log"
  },
  {
    id: "response-unreadable",
    stage: "Response",
    failure: "The answer is not what was agreed",
    status: null,
    clientError: "DecodeError; HPE_INVALID_CONSTANT",
    cause: "The answer's bytes are not HTTP, or its body is not what the client's schema expects.",
    fix: "Compare one answer with the schema; check that client and service speak of the same version.",
    logLine: "\"GET /users/{id}\" 200 request_id=...",
    loggedBy: "the client's log; on the server it looks like a success"
  }
] as const satisfies ReadonlyArray<Omit<Failure, "id"> & { readonly id: string }>
