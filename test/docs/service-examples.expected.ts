/** What the examples of the sources print about ours. A change here is a change of behaviour that a reader can see. */
export const expected: Readonly<Record<string, ReadonlyArray<string>>> = {
  "chain-of-responsibility": [
    "cc_user1_10000",
    "pp_user2_5000",
    "bt_user3_20000",
    "the middleware ran 3 times, once around each chain",
    "NotHandled: No link of the chain \"payments.Pay\" handles this request (credit_card, paypal, bank_transfer). Add a link for it, or \"otherwise\"",
    "unsupported payment method: crypto",
    "later_user5",
    "NotHandled",
    "later_user5"
  ],
  "client-breaker": [
    "503: Closed",
    "503: Open",
    "CircuitOpen, and 2 requests were sent in all",
    "200: Closed"
  ],
  "client-hedging": [
    "200 from attempt 2, after 200 ms",
    "attempt 1: aborted",
    "200 at once",
    "a POST is sent 1 time, with an idempotency key 3 times"
  ],
  "client-request": [
    "200 {\"name\":\"thing\"}; the service was told: at most 5 s, attempt 1",
    "the service was told: at most 20 s, attempt 1",
    "the service was told: at most 2 s, attempt 1",
    "X-Service-Name: orders"
  ],
  "command": [
    "users.Create answered {\"id\":\"u-1\",\"name\":\"John Doe\",\"email\":\"john@example.com\",\"active\":true}",
    "event 1 of User/u-1 is UserCreated {\"id\":\"u-1\",\"name\":\"John Doe\",\"email\":\"john@example.com\"}",
    "the state is {\"id\":\"u-1\",\"name\":\"John Doe\",\"email\":\"john@example.com\",\"active\":true} at version 1"
  ],
  "domain-events": [
    "there are 4 users in the room; 4 events were handled",
    "user 4 joined meeting 1",
    "3 handlers ran at once, 0 still run",
    "UserJoined > RoomFull: 4 users",
    "the mail failed every time, and all four joined",
    "EventHandlersFailed: An event handler failed: mail on UserJoined: MailDown"
  ],
  "error-handling": [
    "InvalidPayload at /name",
    "InvalidPayload at /email",
    "There is a user \"u-1\" already",
    "UserNotFound: There is no user \"u-9\""
  ],
  "event-fallback": [
    "primary, fallback",
    "fallback",
    "primary, follow-up: An event handler failed: counter on NotificationSent → Counted: CounterFull"
  ],
  "hooks": [
    "beforeCommand users.Create",
    "beforeStore UserCreated",
    "afterCommand users.Create succeeded",
    "the caller has the answer",
    "afterStore UserCreated 1",
    "beforeCommand users.Create",
    "beforeStore UserCreated",
    "afterCommand users.Create failed",
    "Refused, and nothing of it was kept"
  ],
  "http-and-rpc": [
    "post /commands/users.Create, post /commands/users.Rename, get /queries/users.ById",
    "HTTP: 200 {\"id\":\"u-1\",\"name\":\"John Doe\",\"email\":\"john@example.com\",\"active\":true}",
    "RPC, the same command again: {\"id\":\"u-1\",\"name\":\"John Doe\",\"email\":\"john@example.com\",\"active\":true}",
    "in the process, after users.Rename over RPC: Jane Doe",
    "HTTP: 422 {\"_tag\":\"NameTaken\",\"id\":\"u-1\"}",
    "RPC: NameTaken: There is a user \"u-1\" already",
    "the middleware ran once for each: users.Create, users.Create, users.Rename, users.ById, users.Create, users.Create"
  ],
  "log-context": [
    "{\"level\":\"INFO\",\"message\":\"order placed\",\"service\":\"order-service\",\"request_id\":\"f4a2b3c1\"}",
    "{\"level\":\"INFO\",\"message\":\"card charged\",\"service\":\"payment-service\",\"request_id\":\"f4a2b3c1\"}",
    "{\"level\":\"INFO\",\"message\":\"receipt sent\",\"service\":\"order-service\",\"request_id\":\"f4a2b3c1\"}"
  ],
  "media-types": [
    "a form: 415",
    "broken JSON: 400",
    "wrong fields: 422 /name /email",
    "DELETE: 405, Allow: POST, OPTIONS"
  ],
  "metrics": [
    "domain_command_duration_seconds_count{command_name=\"users.ById\",command_kind=\"query\",command_outcome=\"success\",error_type=\"none\"} 1",
    "domain_command_duration_seconds_count{command_name=\"users.Create\",command_kind=\"command\",command_outcome=\"failure\",error_type=\"NameTaken\"} 1",
    "domain_command_duration_seconds_count{command_name=\"users.Create\",command_kind=\"command\",command_outcome=\"success\",error_type=\"none\"} 1"
  ],
  "middleware-order": [
    "TrustedProxies, RequestIds, TraceContext, AccessLog, ServerTiming, Problems, SecurityHeaders, TrustedHosts, Methods, Deadlines, limit by address, Authentication, limit by user, ContentTypes, BodyLimits, Conditional",
    "the limit counts a request of an address",
    "a stranger gets 401",
    "the limit counts a request of an address",
    "the limit counts a request of alice",
    "Alice gets 200",
    "the same two stages in each other's slot do not compile"
  ],
  "outbox": [
    "1 message for two commands, one of them rolled back",
    "delivered: user 1, attempt 1; user 1, attempt 2; user 3, attempt 1",
    "received once each, in order: users 1, 3",
    "dead letter m-1 of key a: message m-1 (poison a): Error: unreadable; discarded: true"
  ],
  "query": [
    "users.ById answered {\"id\":\"u-1\",\"name\":\"John Doe\",\"email\":\"john@example.com\",\"active\":true}",
    "by the index on email: u-2",
    "by the name, which has no index: InvalidQuery"
  ],
  "request-fallback": [
    "handlers that ran: primary, fallback after DatabaseUnavailable",
    "answer: user_42, Unknown User, from the fallback",
    "UserNotFound is not in the list and comes through, after primary",
    "fallback after CircuitOpen"
  ],
  "request-id": [
    "the next service receives X-Request-ID: abc-123",
    "with a line break: ignored",
    "from a stranger: replaced by a new one"
  ],
  "request-id-on-failure": [
    "/fine 200, X-Request-ID: abc-123, without a word of the exception",
    "/nowhere 404, X-Request-ID: abc-123, without a word of the exception",
    "/bug 500, X-Request-ID: abc-123, without a word of the exception"
  ],
  "saga": [
    "reserved item_1, item_2; charged $99.99; shipped",
    "Completed: TRACK_order_123",
    "reserved item_1, item_2; charged $99.99; refunded payment_order_456; released reservation_order_456",
    "Compensated after ship: InvalidAddress: Shipping address is required",
    "Completed, 0 calls"
  ],
  "saga-fallback": [
    "primary, fallback: Completed",
    "primary, fallback, release fallback_reservation",
    "fallback"
  ],
  "saga-recovery": [
    "reserved item_1",
    "running: reserve done, charge started",
    "charged $20.00; shipped: Completed",
    "three workers, 3 calls"
  ],
  "saga-stream": [
    "reserve {\"reservation\":\"reservation_order_1\"}",
    "charge {\"payment\":\"payment_order_1\"}",
    "ship {\"tracking\":\"TRACK_order_1\"}",
    "Completed",
    "detach: reserved item_1; charged $20.00; shipped: Completed",
    "compensate: reserved item_1; charged $20.00; refunded payment_compensate; released reservation_compensate: Cancelled"
  ],
  "safe-logging": [
    "{\"method\":\"POST\",\"path\":\"/login/alice\",\"status\":200,\"request_id\":\"abc-123\",\"user_id\":\"alice\"}",
    "secrets in 1 lines: 0"
  ],
  "server-deadline": [
    "200 at most 2 s, low; sent on: low",
    "200 at most 20 s, normal; sent on: normal",
    "200 at most 20 s, normal; sent on: normal",
    "200 at most 20 s, normal; sent on: normal",
    "the handler is stopped in time",
    "504 The deadline has passed",
    "504 The deadline has passed"
  ],
  "stream-fallback": [
    "restart: a (primary), b (primary), a (fallback), b (fallback), c (fallback), d (fallback)",
    "dedupeBy id: a (primary), b (primary), c (fallback), d (fallback)",
    "resume: a (primary), b (primary), c (fallback), d (fallback)",
    "fail: the failure stands",
    "three streams ran the primary once"
  ],
  "transaction": [
    "UserNotFound; u-1 and u-2 are at versions 0 and 0",
    "the same with u-2 created first: they are at versions 1 and 2",
    "Conflict and Conflict; n-1 is at version 0"
  ]
}
