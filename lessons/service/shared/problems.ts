/** The one table from the errors of the three services to what their clients are told. */
import { Problems } from "effect-lifecycle/server"
import type { StateStore } from "effect-lifecycle/store"
import type { DomainError } from "effect-lifecycle/domain"
import type { NothingToDo } from "../orders/desk.ts"
import type { OrderClosed, OrderNotFound, PaymentFailed, PaymentPending, RefundInDoubt } from "../orders/model.ts"
import type { PayerRefused, PayerUnknown, PaymentNotFound } from "../payments/model.ts"
import type { UserNotFound } from "../users/model.ts"

const message = (error: { readonly message: string }) => error.message

export const problems = Problems.table({
  // The fields of a search are those of the query string.
  InvalidQuery: {
    status: 422,
    title: "Invalid query",
    stage: "Validation",
    extensions: ({ field, reason }: StateStore.InvalidQuery) => ({
      errors: [{ detail: reason, pointer: `/${field}`, in: "query" }]
    })
  },
  InvalidPayload: {
    status: 422,
    title: "Invalid payload",
    stage: "Validation",
    extensions: ({ issues }: DomainError.InvalidPayload) => ({
      errors: issues.map(({ message, pointer }) => ({ detail: message, pointer, in: "body" }))
    })
  },
  Refused: { status: 403, title: "Refused", stage: "Handler", detail: (e: DomainError.Refused) => e.reason },
  UserNotFound: { status: 404, title: "User not found", stage: "Handler", detail: (e: UserNotFound) => message(e) },
  OrderNotFound: { status: 404, title: "Order not found", stage: "Handler", detail: (e: OrderNotFound) => message(e) },
  OrderClosed: {
    status: 409,
    title: "Order is closed",
    stage: "Handler",
    detail: (e: OrderClosed) => message(e),
    extensions: (e: OrderClosed) => ({ orderStatus: e.status })
  },
  PaymentFailed: {
    status: 502,
    title: "Payment failed",
    stage: "Dependencies",
    detail: (e: PaymentFailed) => message(e)
  },
  PaymentPending: {
    status: 503,
    title: "Payment under way",
    stage: "Dependencies",
    detail: (e: PaymentPending) => message(e),
    extensions: (e: PaymentPending) => ({ paymentState: e.state }),
    headers: (e: PaymentPending) => ({ "retry-after": e.state === "held" ? "60" : "1" })
  },
  RefundInDoubt: {
    status: 409,
    title: "Refund in doubt",
    stage: "Handler",
    detail: (e: RefundInDoubt) => message(e),
    extensions: (e: RefundInDoubt) => ({ attempt: e.attempt, desk: "/desk/payments" })
  },
  NothingToDo: { status: 409, title: "Nothing to do", stage: "Handler", detail: (e: NothingToDo) => message(e) },
  PaymentNotFound: {
    status: 404,
    title: "Payment not found",
    stage: "Handler",
    detail: (e: PaymentNotFound) => message(e)
  },
  PayerRefused: { status: 409, title: "Payer refused", stage: "Handler", detail: (e: PayerRefused) => message(e) },
  PayerUnknown: {
    status: 503,
    title: "Payer could not be checked",
    stage: "Dependencies",
    detail: (e: PayerUnknown) => message(e),
    headers: () => ({ "retry-after": "1" })
  }
})

/** What may be answered to the routes that change something, beside what the stages around every route answer. */
export const described = (changes: ReadonlyArray<string>, more: Problems.OpenApiOptions<string>["answers"] = {}) =>
  Problems.openApi({
    table: problems,
    answers: { Refused: changes, ConcurrencyConflict: changes, StoreUnavailable: true, ...more }
  })
