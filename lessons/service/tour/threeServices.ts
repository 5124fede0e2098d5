/** One request that crosses all three services. */
import { Effect } from "effect"
import type { Story } from "effect-lifecycle/lifecycle"
import { ask, json, linesSince, type LogLine, place, register, Services } from "./services.ts"
import type { Scenario } from "./story.ts"
import { table, wrap } from "./terminal.ts"

const road = ["orders", "payments", "users"]
const budgetSeconds = 10
const isAccess = (line: LogLine) => line["message"] === "request"
const text = (value: unknown) => value === undefined ? "-" : String(value)

/** What `GET /lifecycle/story` answers, as far as the tour shows it. */
interface Remembered {
  readonly services: ReadonlyArray<string>
  readonly lines: ReadonlyArray<Story.Line>
}

export const threeServices = {
  title: "POST /orders/{id}/payment: orders asks payments, payments asks users",
  tell: (page) =>
    Effect.gen(function*() {
      const user = yield* register
      const order = yield* place(user.id, "tour-crossing")
      // Also what orders tells users about the orders so far: it goes its own way, after the answer.
      yield* linesSince(0, (lines) => {
        const accessed = (route: string, method: string) =>
          lines.filter((line) => isAccess(line) && line["route"] === route && line["method"] === method).length
        return accessed("/orders", "POST") > 0 && accessed("/inbox/orders", "POST") >= accessed("/orders", "POST")
      })

      const { log } = yield* Services
      const from = log.length
      const requestId = "tour-two"
      const answer = yield* ask("orders", `/orders/${order.id}/payment`, {
        method: "POST",
        headers: { "x-request-id": requestId, "x-request-timeout": String(budgetSeconds) }
      })
      const lines = yield* linesSince(from, (lines) => lines.filter(isAccess).length === road.length)
      const hops = road.map((service) => ({
        service,
        deadline: lines.find((line) => line["service"] === service && line["deadline_ms"] !== undefined),
        access: lines.find((line) => line["service"] === service && isAccess(line))
      }))

      page.say(`   Sent with X-Request-Timeout: ${budgetSeconds} and X-Request-ID: ${requestId}. The services log:\n`)
      page.say(table([
        ["service", "ms left", "called by", "answered", "request_id"],
        ...hops.map(({ access, deadline, service }) => [
          service,
          text(deadline?.["deadline_ms"]),
          text(access?.["user_id"]),
          `${text(access?.["method"])} ${text(access?.["route"])} ${text(access?.["status"])}`,
          text(access?.["request_id"])
        ])
      ], "   "))
      page.say("")
      page.say(wrap(
        `${lines.length} log lines in three services, and one request id in all of them. Each service speaks with a token of ` +
          "its own, and hands on a little less time than it was given.",
        page.terminal.width,
        "   "
      ))

      // Each service remembers its part; users asks the others for theirs.
      const before = log.length
      const remembered = yield* ask("users", `/lifecycle/story?id=${requestId}`)
      yield* linesSince(before, (lines) => lines.filter(isAccess).length === road.length)
      const story = json(remembered) as Partial<Remembered>
      page.say("")
      page.say(wrap(
        "The same chain with its times, as the services remember it. With `npm run serve`, `npx lifecycle story ID` tells all " +
          "of it, and http://127.0.0.1:4100/lifecycle shows every request as it travels (the token is token123).",
        page.terminal.width,
        "   "
      ))
      page.say("")
      const parts = (story.lines ?? []).filter(({ kind }) => kind === "part")
      page.say(table([
        ["at ms", "what", "answered", "took ms"],
        ...parts.map(({ durationMillis, outcome, startMillis, what }) => [
          startMillis.toFixed(1).padStart(7),
          what,
          outcome,
          durationMillis.toFixed(1).padStart(7)
        ])
      ], "   "))

      const paid = json(answer) as { readonly paymentId?: unknown }
      page.equal("the status", answer.status, 200)
      page.equal("X-Request-ID", answer.headers["x-request-id"], requestId)
      page.equal("the services of the story", story.services, road)
      page.equal("the parts of the story", parts.map(({ what }) => what), [
        "orders POST /orders/:id/payment",
        "payments POST /payments",
        "users GET /users/:id"
      ])
      page.equal("the body", paid, { ...order, status: "paid", paymentId: paid.paymentId })
      page.equal("the type of paymentId", typeof paid.paymentId, "string")
      page.equal("the request ids of the log lines", [...new Set(lines.map((line) => line["request_id"]))], [requestId])
      page.equal(
        "services, callers and statuses in the log",
        hops.map(({ access, service }) => [service, access?.["user_id"], access?.["status"]]),
        [["orders", "alice", 200], ["payments", "orders-service", 201], ["users", "payments-service", 200]]
      )
      const [atOrders = NaN, atPayments = NaN, atUsers = NaN] = hops.map(({ deadline }) =>
        Number(deadline?.["deadline_ms"])
      )
      page.holds(
        "the milliseconds left at each hop",
        budgetSeconds * 1000 >= atOrders && atOrders > atPayments && atPayments > atUsers && atUsers > 0,
        [atOrders, atPayments, atUsers],
        `at most ${budgetSeconds * 1000}, then less and less`
      )
    })
} satisfies Scenario<unknown, Services>
