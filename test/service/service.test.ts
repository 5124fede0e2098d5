import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import {
  call,
  eventually,
  type Json,
  linesWith,
  newKey,
  NotYet,
  order,
  place,
  raw,
  register,
  Services,
  services
} from "./harness.ts"

/** An operation of an OpenAPI document. */
interface Operation {
  readonly operationId: string
  readonly security: unknown
  readonly responses: Readonly<Record<string, unknown>>
}

const isProblem = (
  answer: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Json },
  status: number,
  type?: string
) => {
  assert.strictEqual(answer.status, status, JSON.stringify(answer.body))
  assert.strictEqual(answer.headers["content-type"], "application/problem+json")
  assert.strictEqual(answer.body.status, status)
  assert.strictEqual(answer.body.requestId, answer.headers["x-request-id"])
  assert.isString(answer.body.stage)
  if (type !== undefined) assert.strictEqual(answer.body.type, `urn:problem:${type}`)
}

/** Runs a command of the lesson as it is printed there, against the port of this run. */
const shell = (command: string) =>
  Effect.flatMap(
    Services,
    ({ addresses }) =>
      Effect.callback<{ readonly status: number; readonly headers: Headers; readonly body: Json }>((resume) => {
        execFile(
          "sh",
          ["-c", command.replace("curl", "curl --silent --include").replace("http://127.0.0.1:4100", addresses.users)],
          (error, out) => {
            if (error !== null) return resume(Effect.die(error))
            const [head = "", body = ""] = out.split("\r\n\r\n")
            const [first = "", ...rest] = head.split("\r\n")
            const headers = new Headers(rest.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]))
            resume(Effect.succeed({ status: Number(first.split(" ")[1]), headers, body: JSON.parse(body) }))
          }
        )
      })
  )

const json = "-H \"Content-Type: application/json\""
const token = "-H \"Authorization: Bearer token123\""
const lesson = (headers: string, email = "alice@example.com") =>
  `curl -X POST http://127.0.0.1:4100/users ${headers} -d '{"name": "Alice", "email": "${email}"}'`

layer(services, { excludeTestServices: true, timeout: "30 seconds" })("the three services", (it) => {
  describe("the request of the lesson", () => {
    it.effect("is answered with the user that was made, and where it is", () =>
      Effect.gen(function*() {
        const { body, headers, status } = yield* shell(lesson(`${token} ${json}`))
        assert.strictEqual(status, 201)
        assert.match(body.id, /^usr_[0-9a-f]{32}$/)
        assert.deepStrictEqual(body, { id: body.id, name: "Alice", email: "alice@example.com", active: true })
        assert.strictEqual(headers.get("location"), `/users/${body.id}`)
        assert.strictEqual(headers.get("etag"), "\"1\"")
        assert.match(headers.get("x-request-id") ?? "", /^[A-Za-z0-9._-]{1,128}$/)
        assert.deepStrictEqual((yield* call("users", headers.get("location")!)).body, body)
      }))

    it.effect("with a wrong e-mail address is 422 and names the field", () =>
      Effect.gen(function*() {
        const { body, headers, status } = yield* shell(lesson(`${token} ${json}`, "alice"))
        assert.strictEqual(status, 422)
        assert.strictEqual(headers.get("content-type"), "application/problem+json")
        assert.deepStrictEqual(body.errors, [{ detail: "must be an e-mail address", pointer: "/email", in: "body" }])
      }))

    it.effect("without the token is 401 and says what to send", () =>
      Effect.gen(function*() {
        const { headers, status } = yield* shell(lesson(json))
        assert.strictEqual(status, 401)
        assert.match(headers.get("www-authenticate") ?? "", /^Bearer/)
      }))

    it.effect("as a form is 415 and says what would do", () =>
      Effect.gen(function*() {
        const { headers, status } = yield* shell(lesson(token))
        assert.strictEqual(status, 415)
        assert.strictEqual(headers.get("accept"), "application/json")
      }))
  })

  describe("users", () => {
    it.effect("lists every wrong field of a body", () =>
      Effect.gen(function*() {
        const answer = yield* call("users", "/users", { method: "POST", json: { name: "", email: "alice" } })
        isProblem(answer, 422, "invalid-request")
        assert.deepStrictEqual(
          answer.body.errors.map((error: { pointer: string }) => error.pointer).sort(),
          ["/email", "/name"]
        )
        const empty = yield* call("users", "/users", { method: "POST", json: {} })
        assert.deepStrictEqual(
          empty.body.errors.map((error: { pointer: string }) => error.pointer).sort(),
          ["/email", "/name"]
        )
      }))

    it.effect("keeps 400 for a body that is not JSON", () =>
      Effect.gen(function*() {
        const answer = yield* call("users", "/users", {
          method: "POST",
          body: "{\"name\":",
          headers: { "content-type": "application/json" }
        })
        isProblem(answer, 400)
      }))

    it.effect("refuses a token that nobody has", () =>
      Effect.gen(function*() {
        const answer = yield* call("users", "/users/usr_1", { token: "wrong" })
        isProblem(answer, 401, "unauthorized")
        assert.include(answer.headers["www-authenticate"]!, "invalid_token")
      }))

    it.effect("shows a user with the ETag of its version, and answers 304 to who has it", () =>
      Effect.gen(function*() {
        const id = yield* register
        const read = yield* call("users", `/users/${id}`)
        assert.strictEqual(read.status, 200)
        assert.strictEqual(read.headers["etag"], "\"1\"")
        const known = yield* call("users", `/users/${id}`, { headers: { "if-none-match": "\"1\"" } })
        assert.strictEqual(known.status, 304)
        assert.strictEqual(known.text, "")
        const other = yield* call("users", "/users/usr_nobody")
        isProblem(other, 404, "user-not-found")
        assert.strictEqual(other.body.detail, "There is no user \"usr_nobody\"")
      }))

    it.effect("changes only the version that the caller has read", () =>
      Effect.gen(function*() {
        const id = yield* register
        const change = (name: string, headers: Record<string, string>) =>
          call("users", `/users/${id}`, { method: "PATCH", json: { name }, headers })
        isProblem(yield* change("Blind", {}), 428, "precondition-required")
        const changed = yield* change("Alicia", { "if-match": "\"1\"" })
        assert.strictEqual(changed.status, 200)
        assert.strictEqual(changed.headers["etag"], "\"2\"")
        assert.strictEqual(changed.body.name, "Alicia")
        isProblem(yield* change("Late", { "if-match": "\"1\"" }), 412, "version-mismatch")
        isProblem(yield* change("Early", { "if-match": "\"9\"" }), 412, "version-mismatch")
        isProblem(yield* change("Foreign", { "if-match": "\"abc\"" }), 412, "version-mismatch")
        isProblem(yield* change("Garbled", { "if-match": "1" }), 400, "precondition-invalid")
        assert.strictEqual((yield* change("Any", { "if-match": "*" })).status, 200)
        assert.strictEqual((yield* call("users", `/users/${id}`)).body.name, "Any")
      }))

    it.effect("lets one of many changes of the same version through", () =>
      Effect.gen(function*() {
        const id = yield* register
        const answers = yield* Effect.forEach(
          Array.from({ length: 8 }, (_, i) => `Name ${i}`),
          (name) =>
            call("users", `/users/${id}`, { method: "PATCH", json: { name }, headers: { "if-match": "\"1\"" } }),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(answers.map((answer) => answer.status).sort(), [200, ...Array(7).fill(412)])
      }))

    it.effect("answers every text and every id without a 500", () =>
      Effect.gen(function*() {
        for (const name of ["\u0000", "a\u0000b", "\ud800", "\ufffe", "𝕬".repeat(100), "'; drop table es.events; --"]) {
          const made = yield* call("users", "/users", { method: "POST", json: { name, email: "a@b.example" } })
          assert.include([201, 422], made.status, JSON.stringify({ name, made: made.body }))
          if (made.status !== 201) continue
          const read = yield* call("users", made.headers["location"]!)
          assert.strictEqual(read.body.name, made.body.name)
          if (name !== "\ud800") assert.strictEqual(read.body.name, name)
        }
        for (const id of ["%00", "..%2F..%2Fetc", "%E0%A4%A", "a".repeat(200), "%F0%9F%92%A9"]) {
          const read = yield* call("users", `/users/${id}`)
          assert.include([400, 404, 422], read.status, JSON.stringify({ id, read: read.body }))
        }
      }))
  })

  describe("orders", () => {
    it.effect("takes an order only with an idempotency key", () =>
      Effect.gen(function*() {
        const answer = yield* call("orders", "/orders", { method: "POST", json: order("usr_1") })
        isProblem(answer, 400, "idempotency-key-missing")
      }))

    it.effect("answers a repeated order with the same bytes, and places it once", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const headers = { "idempotency-key": newKey() }
        const first = yield* place(userId, { headers })
        assert.strictEqual(first.status, 201)
        assert.strictEqual(first.body.total, 2500)
        assert.strictEqual(first.headers["location"], `/orders/${first.body.id}`)
        assert.strictEqual(first.headers["etag"], "\"1\"")
        assert.notProperty(first.headers, "idempotency-replayed")
        const again = yield* place(userId, { headers })
        assert.strictEqual(again.status, 201)
        assert.strictEqual(again.text, first.text)
        assert.strictEqual(again.headers["idempotency-replayed"], "true")
        assert.strictEqual(again.headers["location"], first.headers["location"])
        assert.strictEqual(again.headers["etag"], first.headers["etag"])
        assert.notStrictEqual(again.headers["x-request-id"], first.headers["x-request-id"])
        const { body } = yield* call("orders", `/orders?userId=${userId}`)
        assert.deepStrictEqual(body, { orders: [first.body] })
      }))

    it.effect("refuses the key of another payload", () =>
      Effect.gen(function*() {
        const headers = { "idempotency-key": newKey() }
        assert.strictEqual((yield* place("usr_1", { headers })).status, 201)
        const other = yield* place("usr_1", { headers, json: order("usr_1", 1) })
        isProblem(other, 422, "idempotency-key-mismatch")
      }))

    it.effect("keeps the keys of two callers apart", () =>
      Effect.gen(function*() {
        const headers = { "idempotency-key": newKey() }
        const alices = yield* place("usr_1", { headers })
        const bobs = yield* place("usr_1", { headers, token: "token456", json: order("usr_1", 7) })
        assert.strictEqual(bobs.status, 201)
        assert.notProperty(bobs.headers, "idempotency-replayed")
        assert.notStrictEqual(bobs.body.id, alices.body.id)
      }))

    it.effect("places one order for many requests with one key at the same time", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const headers = { "idempotency-key": newKey() }
        const answers = yield* Effect.forEach(Array(10), () => place(userId, { headers }), { concurrency: "unbounded" })
        const made = answers.filter((answer) => answer.status === 201)
        assert.isNotEmpty(made)
        for (const answer of answers) {
          if (answer.status === 201) continue
          isProblem(answer, 409, "idempotency-key-running")
          assert.match(answer.headers["retry-after"]!, /^\d+$/)
        }
        assert.lengthOf(new Set(made.map((answer) => answer.body.id)), 1)
        assert.lengthOf((yield* call("orders", `/orders?userId=${userId}`)).body.orders, 1)
      }))

    it.effect("points at the wrong field of a wrong line", () =>
      Effect.gen(function*() {
        const lines = [{ sku: "a", quantity: 1, price: 1 }, { sku: "b", quantity: 0, price: -1 }]
        const answer = yield* place("usr_1", { json: { userId: "usr_1", lines } })
        isProblem(answer, 422, "invalid-request")
        assert.deepStrictEqual(
          answer.body.errors.map((error: { pointer: string }) => error.pointer).sort(),
          ["/lines/1/price", "/lines/1/quantity"]
        )
      }))

    it.effect("pages through the orders of a user, and shows each once", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const placed = yield* Effect.forEach(Array(7), () => place(userId), { concurrency: 3 })
        const ids = placed.map((answer): string => answer.body.id).sort()
        yield* Effect.forEach(ids.slice(0, 2), (id) => call("orders", `/orders/${id}/cancellation`, { method: "POST" }))
        const pages: Array<Array<string>> = []
        let cursor: string | undefined
        do {
          const next = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`
          const { body, status } = yield* call("orders", `/orders?userId=${userId}&limit=3${next}`)
          assert.strictEqual(status, 200)
          pages.push(body.orders.map((order: { id: string }) => order.id))
          cursor = body.next
        } while (cursor !== undefined)
        assert.deepStrictEqual(pages.map((page) => page.length), [3, 3, 1])
        assert.deepStrictEqual(pages.flat().sort(), ids)
        const cancelled = yield* call("orders", `/orders?userId=${userId}&status=cancelled`)
        assert.deepStrictEqual(
          cancelled.body.orders.map((order: { id: string }) => order.id).sort(),
          ids.slice(0, 2)
        )
        const ofNobody = yield* call("orders", "/orders?userId=usr_nobody")
        assert.deepStrictEqual(ofNobody.body, { orders: [] })
      }))

    for (
      const query of ["limit=0", "limit=1000", "limit=ten", "limit=1.5", "cursor=nonsense", "status=lost", "userId=%00"]
    ) {
      it.effect(`refuses to search by ${query}, and points at it`, () =>
        Effect.gen(function*() {
          const answer = yield* call("orders", `/orders?${query}`)
          isProblem(answer, 422)
          const places = answer.body.errors.map((error: Record<string, string>) => `${error["in"]} ${error["pointer"]}`)
          assert.deepStrictEqual([...new Set(places)], [`query /${query.split("=")[0]}`])
        }))
    }

    it.effect("cancels an order once, and does not take money for it", () =>
      Effect.gen(function*() {
        const { body: { id } } = yield* place(yield* register)
        const cancelled = yield* call("orders", `/orders/${id}/cancellation`, { method: "POST" })
        assert.strictEqual(cancelled.status, 200)
        assert.strictEqual(cancelled.body.status, "cancelled")
        assert.strictEqual(cancelled.headers["etag"], "\"2\"")
        const again = yield* call("orders", `/orders/${id}/cancellation`, { method: "POST" })
        assert.strictEqual(again.headers["etag"], "\"2\"")
        const paid = yield* call("orders", `/orders/${id}/payment`, { method: "POST" })
        isProblem(paid, 409, "order-closed")
        assert.strictEqual(paid.body.orderStatus, "cancelled")
      }))

    it.effect("lists an order, as it is by now, to whoever was answered", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const listed = (status: string) =>
          Effect.map(call("orders", `/orders?userId=${userId}&status=${status}`), ({ body }) => body.orders)
        for (const count of [1, 2, 3]) {
          yield* place(userId)
          assert.lengthOf(yield* listed("placed"), count)
        }
        const [first, second] = yield* listed("placed")
        const paid = yield* call("orders", `/orders/${first.id}/payment`, { method: "POST" })
        assert.deepStrictEqual(yield* listed("paid"), [paid.body])
        const cancelled = yield* call("orders", `/orders/${second.id}/cancellation`, { method: "POST" })
        assert.deepStrictEqual(yield* listed("cancelled"), [cancelled.body])
        assert.lengthOf(yield* listed("placed"), 1)
      }))

    it.effect("tells users of what was placed and cancelled, each once, as part of the request that did it", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const before = yield* call("users", `/users/${userId}`)
        const requestId = newKey()
        const headers = { "idempotency-key": newKey() }
        const { body: { id } } = yield* place(userId, { headers: { ...headers, "x-request-id": requestId } })
        yield* place(userId, { headers })
        yield* place(userId)
        yield* call("orders", `/orders/${id}/cancellation`, { method: "POST" })
        yield* call("orders", `/orders/${id}/cancellation`, { method: "POST" })
        const activity = call("users", `/users/${userId}/activity`)
        const arrived = Effect.filterOrFail(
          activity,
          ({ body }) => body.cancelled > 0,
          () => new NotYet({ message: "the cancellation has not arrived" })
        )
        const { body } = yield* eventually(arrived)
        assert.deepStrictEqual(body, { placed: 2, cancelled: 1 })
        const [line] = yield* linesWith((line) => line["request_id"] === requestId && line["path"] === "/inbox/orders")
        assert.deepInclude(line!, { service: "users", status: 204, user_id: "orders-service" })
        // The user has not changed, and neither has its version.
        const after = yield* call("users", `/users/${userId}`)
        assert.deepStrictEqual([after.text, after.headers["etag"]], [before.text, before.headers["etag"]])
      }))

    it.effect("lets nobody else tell users of orders", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const json = { orderId: "ord_x", userId, what: "placed" }
        const sent = { method: "POST", json, headers: { "idempotency-key": newKey() } }
        isProblem(yield* call("users", "/inbox/orders", sent), 403, "forbidden")
        const { body } = yield* call("users", `/users/${userId}/activity`)
        assert.deepStrictEqual(body, { placed: 0, cancelled: 0 })
        isProblem(yield* call("users", "/users/usr_0/activity"), 404, "user-not-found")
      }))

    it.effect("answers 404 for an order that does not exist, on each of its paths", () =>
      Effect.gen(function*() {
        isProblem(yield* call("orders", "/orders/ord_0"), 404, "order-not-found")
        isProblem(yield* call("orders", "/orders/ord_0/events"), 404, "order-not-found")
        isProblem(yield* call("orders", "/orders/ord_0/payment", { method: "POST" }), 404, "order-not-found")
        isProblem(yield* call("orders", "/orders/ord_0/cancellation", { method: "POST" }), 404, "order-not-found")
      }))

    it.effect("streams the events of an order as lines of JSON", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const { body: { id } } = yield* place(userId, { headers: { "x-request-id": "placing-it" } })
        yield* call("orders", `/orders/${id}/payment`, { method: "POST", headers: { "x-request-id": "paying-it" } })
        const answer = yield* call("orders", `/orders/${id}/events`)
        assert.strictEqual(answer.status, 200)
        assert.match(answer.headers["content-type"]!, /^application\/x-ndjson/)
        assert.isTrue(answer.text.endsWith("\n"))
        const events = answer.text.trimEnd().split("\n").map((line) => JSON.parse(line))
        assert.deepStrictEqual(
          events.map(({ requestId, type, version }) => ({ requestId, type, version })),
          [
            { requestId: "placing-it", type: "OrderPlaced", version: 1 },
            { requestId: "paying-it", type: "PaymentBegun", version: 2 },
            { requestId: "paying-it", type: "OrderPaid", version: 3 }
          ]
        )
        assert.deepStrictEqual(events[0].data, order(userId))
      }))
  })

  describe("a payment", () => {
    it.effect("crosses the three services with one request id, one trace and ever less time", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const { body: { id } } = yield* place(userId)
        const requestId = newKey()
        const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        const paid = yield* call("orders", `/orders/${id}/payment`, {
          method: "POST",
          headers: {
            "x-request-id": requestId,
            "x-request-timeout": "5",
            traceparent: `00-${trace}-00f067aa0ba902b7-01`
          }
        })
        assert.strictEqual(paid.status, 200, paid.text)
        assert.strictEqual(paid.body.status, "paid")
        assert.strictEqual(paid.headers["etag"], "\"3\"")
        assert.strictEqual(paid.headers["x-request-id"], requestId)

        const payment = yield* call("payments", `/payments/${paid.body.paymentId}`)
        assert.deepStrictEqual(payment.body, {
          id: paid.body.paymentId,
          orderId: id,
          userId,
          amount: 2500,
          status: "charged"
        })
        assert.strictEqual(payment.headers["etag"], "\"1\"")

        const access = yield* linesWith((line) => line["request_id"] === requestId && line["message"] === "request", 3)
        assert.deepStrictEqual(
          access.map((line) => [line["service"], line["route"], line["status"], line["user_id"]]),
          [
            ["users", "/users/:id", 200, "payments-service"],
            ["payments", "/payments", 201, "orders-service"],
            ["orders", "/orders/:id/payment", 200, "alice"]
          ]
        )
        const deadlines = yield* linesWith(
          (line) => line["request_id"] === requestId && line["deadline_ms"] !== undefined,
          3
        )
        assert.deepStrictEqual(deadlines.map((line) => line["service"]), ["orders", "payments", "users"])
        const [atOrders, atPayments, atUsers] = deadlines.map((line) => Number(line["deadline_ms"]))
        assert.isAtMost(atOrders!, 5000)
        assert.isAtMost(atPayments!, atOrders! - 5)
        assert.isAtMost(atUsers!, atPayments! - 5)
        assert.deepStrictEqual(deadlines.map((line) => line["trace_id"]), [trace, trace, trace])
      }))

    it.effect("is charged once, however often and however much at once it is asked for", () =>
      Effect.gen(function*() {
        const userId = yield* register
        const { body: { id } } = yield* place(userId)
        const pay = call("orders", `/orders/${id}/payment`, { method: "POST" })
        const answers = yield* Effect.forEach(Array(5), () => pay, { concurrency: "unbounded" })
        assert.deepStrictEqual(answers.map(({ status }) => status), Array(5).fill(200), JSON.stringify(answers))
        const last = yield* pay
        assert.strictEqual(last.status, 200)
        const ids = answers.map(({ body }) => body.paymentId)
        assert.deepStrictEqual([...new Set([...ids, last.body.paymentId])], [last.body.paymentId])
        const { text } = yield* call("orders", `/orders/${id}/events`)
        const types = text.trimEnd().split("\n").map((line) => JSON.parse(line).type)
        assert.deepStrictEqual(types, ["OrderPlaced", "PaymentBegun", "OrderPaid"])
      }))

    it.effect("closes the order for a cancellation", () =>
      Effect.gen(function*() {
        const { body: { id } } = yield* place(yield* register)
        yield* call("orders", `/orders/${id}/payment`, { method: "POST" })
        const answer = yield* call("orders", `/orders/${id}/cancellation`, { method: "POST" })
        isProblem(answer, 409, "order-closed")
        assert.strictEqual(answer.body.orderStatus, "paid")
        assert.strictEqual((yield* call("orders", `/orders/${id}`)).body.status, "paid")
      }))

    it.effect("of a payer that nobody knows is a problem with a name, and leaves the order as it is", () =>
      Effect.gen(function*() {
        const { body: { id } } = yield* place("usr_nobody")
        const answer = yield* call("orders", `/orders/${id}/payment`, { method: "POST" })
        isProblem(answer, 502, "payment-failed")
        assert.include(answer.body.detail, "payments answered 409")
        assert.strictEqual((yield* call("orders", `/orders/${id}`)).body.status, "placed")
        // Each time is an attempt of its own, and each is undone.
        isProblem(yield* call("orders", `/orders/${id}/payment`, { method: "POST" }), 502, "payment-failed")
        const { text } = yield* call("orders", `/orders/${id}/events`)
        const types = text.trimEnd().split("\n").map((line) => JSON.parse(line).type)
        const attempt = ["PaymentBegun", "PaymentUndone"]
        assert.deepStrictEqual(types, ["OrderPlaced", ...attempt, ...attempt])
        const direct = yield* call("payments", "/payments", {
          method: "POST",
          headers: { "idempotency-key": newKey() },
          json: { orderId: id, userId: "usr_nobody", amount: 1 }
        })
        isProblem(direct, 409, "payer-refused")
      }))

    it.effect("needs an idempotency key, and is replayed under it", () =>
      Effect.gen(function*() {
        const json = { orderId: "ord_x", userId: yield* register, amount: 5 }
        isProblem(yield* call("payments", "/payments", { method: "POST", json }), 400, "idempotency-key-missing")
        const headers = { "idempotency-key": newKey() }
        const first = yield* call("payments", "/payments", { method: "POST", json, headers })
        const again = yield* call("payments", "/payments", { method: "POST", json, headers })
        assert.deepStrictEqual([first.status, again.status], [201, 201])
        assert.strictEqual(again.text, first.text)
        assert.strictEqual(again.headers["idempotency-replayed"], "true")
        assert.strictEqual(first.headers["location"], `/payments/${first.body.id}`)
        isProblem(yield* call("payments", "/payments/pay_0"), 404, "payment-not-found")
      }))

    it.effect("is given back to nobody but orders", () =>
      Effect.gen(function*() {
        const { body: { id } } = yield* call("payments", "/payments", {
          method: "POST",
          headers: { "idempotency-key": newKey() },
          json: { orderId: "ord_x", userId: yield* register, amount: 5 }
        })
        isProblem(yield* call("payments", `/payments/${id}/refund`, { method: "POST" }), 403, "forbidden")
        assert.strictEqual((yield* call("payments", `/payments/${id}`)).body.status, "charged")
      }))
  })

  describe("each service", () => {
    const routes = {
      users: [
        "POST /users",
        "GET /users/{id}",
        "PATCH /users/{id}",
        "GET /users/{id}/activity",
        "POST /inbox/orders"
      ],
      orders: [
        "POST /orders",
        "GET /orders",
        "GET /orders/{id}",
        "POST /orders/{id}/payment",
        "POST /orders/{id}/cancellation",
        "GET /orders/{id}/events"
      ],
      payments: ["POST /payments", "GET /payments/{id}", "POST /payments/{id}/refund"]
    } as const
    it.effect("an order's placing is described with every answer that it can get", () =>
      Effect.gen(function*() {
        const { body } = yield* call("orders", "/openapi.json", { token: null })
        assert.hasAllKeys(
          body.paths["/orders"].post.responses,
          ["201", "400", "401", "403", "409", "413", "415", "422", "500", "503", "504"]
        )
      }))
    for (const service of ["users", "orders", "payments"] as const) {
      it.effect(`${service} describes its routes, and lets nobody in without a token`, () =>
        Effect.gen(function*() {
          const { body, status } = yield* call(service, "/openapi.json", { token: null })
          assert.strictEqual(status, 200)
          assert.match(body.openapi, /^3\./)
          const listed = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
            Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
          )
          assert.deepStrictEqual(listed.sort(), [...routes[service]].sort())
          const operations = Object.values<Record<string, Operation>>(body.paths).flatMap((path) => Object.values(path))
          for (const { operationId, responses, security } of operations) {
            assert.deepStrictEqual(security, [{ bearer: [] }], operationId)
            assert.includeMembers(Object.keys(responses), ["401", "500", "503", "504"], operationId)
          }
          for (const route of listed) {
            const [method = "", path = ""] = route.split(" ")
            isProblem(yield* call(service, path.replace("{id}", "x"), { method, token: null }), 401, "unauthorized")
          }
          const docs = yield* call(service, "/docs", { token: null })
          assert.strictEqual(docs.status, 200)
          assert.match(docs.headers["content-type"]!, /^text\/html/)
        }))

      it.effect(`${service} is live and ready`, () =>
        Effect.gen(function*() {
          const live = yield* call(service, "/health/live", { token: null })
          assert.deepStrictEqual([live.status, live.body], [200, { status: "ok" }])
          const ready = yield* call(service, "/health/ready", { token: null })
          assert.deepStrictEqual([ready.status, ready.body], [200, { status: "ok", checks: { store: "ok" } }])
        }))

      it.effect(`${service} tells an unknown path from an unknown method`, () =>
        Effect.gen(function*() {
          for (const token of [null, "token123"]) {
            isProblem(yield* call(service, "/nowhere", { token }), 404)
            const wrong = yield* call(service, `/${service}/x`, { method: "DELETE", token })
            isProblem(wrong, 405, "method-not-allowed")
            assert.deepStrictEqual(
              wrong.headers["allow"]?.split(", ").sort(),
              service === "users" ? ["GET", "HEAD", "OPTIONS", "PATCH"] : ["GET", "HEAD", "OPTIONS"]
            )
          }
        }))
    }

    it.effect("refuses a body that is too large, announced or not", () =>
      Effect.gen(function*() {
        const head =
          "POST /users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token123\r\nContent-Type: application/json\r\n"
        const announced = yield* raw("users", `${head}Content-Length: 2000000\r\n\r\n`)
        assert.match(announced, /^HTTP\/1\.1 413 [^]*x-request-id: /i)
        const size = 1_200_000
        const chunked = yield* raw(
          "users",
          `${head}Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n"${"a".repeat(size - 2)}"\r\n0\r\n\r\n`
        )
        assert.match(chunked, /^HTTP\/1\.1 413 [^]*"type":"urn:problem:body-too-large"/i)
      }))

    it.effect("counts requests by the template of their route, never by an id", () =>
      Effect.gen(function*() {
        const { body: { id } } = yield* place(yield* register)
        yield* call("orders", `/orders/${id}`)
        yield* call("orders", "/orders/ord_unknown")
        yield* call("orders", "/no/such/path-4711")
        yield* linesWith((line) => line["path"] === "/no/such/path-4711")
        const { headers, text } = yield* call("orders", "/metrics", { token: null })
        assert.match(headers["content-type"]!, /^text\/plain/)
        assert.match(
          text,
          /^http_server_request_duration_seconds_count\{[^}]*http_route="\/orders\/:id"[^}]*\} [1-9]/m
        )
        assert.match(text, /^domain_command_duration_seconds_count\{[^}]*orders\.Place[^}]*\} [1-9]/m)
        for (const secret of [id, "ord_unknown", "path-4711", "usr_"]) assert.notInclude(text, secret)
        // Another service's requests are another service's numbers.
        assert.notInclude(text, "/users")
      }))

    it.effect("puts the request's id on every answer and on its access line", () =>
      Effect.gen(function*() {
        const asked = [
          ["/users/usr_nobody", {}, 404],
          ["/nowhere", { token: null }, 404],
          ["/users/x", { method: "DELETE" }, 405],
          ["/users/x", { token: null }, 401],
          ["/users", { method: "POST", json: {} }, 422],
          ["/users", { method: "POST", body: "a=b" }, 415],
          ["/health/live", {}, 200],
          ["/metrics", {}, 200],
          ["/docs", {}, 200],
          ["/openapi.json", {}, 200],
          ["/users/x", { method: "OPTIONS" }, 204]
        ] as const
        for (const [path, sent, status] of asked) {
          const requestId = newKey()
          const answer = yield* call("users", path, { ...sent, headers: { "x-request-id": requestId } })
          assert.strictEqual(answer.status, status, path)
          assert.strictEqual(answer.headers["x-request-id"], requestId)
          const [line] = yield* linesWith((line) => line["request_id"] === requestId && line["message"] === "request")
          assert.deepInclude(line!, { status, path, service: "users" })
        }
        // What Node refuses before there is a request has one too.
        const refused = yield* raw("users", "NONSENSE\r\n\r\n")
        assert.match(refused, /^HTTP\/1\.1 400 [^]*x-request-id: [A-Za-z0-9._-]+/i)
      }))

    it.effect("writes no secret into a log line, and into every line the service and the request", () =>
      Effect.gen(function*() {
        const canary = "canary4711"
        const userId = yield* register
        yield* call("users", "/users", {
          method: "POST",
          json: { name: canary, email: `${canary}@example.com` },
          headers: { cookie: canary, "x-api-key": canary }
        })
        yield* call("users", "/users", { method: "POST", json: { name: "", email: canary } })
        yield* call("users", `/users/usr_1?secret=${canary}`, { token: canary })
        yield* call("orders", `/orders?userId=${canary}&cursor=${canary}`)
        yield* place(userId, { headers: { "idempotency-key": canary }, json: { ...order(userId), note: canary } })
        yield* linesWith((line) => line["message"] === "request" && line["path"] === "/orders")
        const { lines } = yield* Services
        for (const text of lines) {
          for (const secret of [canary, "token123", "token456", "alice@example.com"]) assert.notInclude(text, secret)
          const line = JSON.parse(text)
          assert.include(["users", "orders", "payments"], line.service, text)
          assert.isString(line.time, text)
          assert.isString(line.request_id, text)
          assert.notInclude(["ERROR", "FATAL"], line.status < 500 ? line.level : "", text)
          assert.notStrictEqual(line.message, "defect", text)
        }
      }))
  })
})
