/** Handlers of which each takes a request or leaves it to the next, and what the end of the chain is. */
import { Effect, Option, Schema } from "effect"
import { Fallback } from "effect-lifecycle/resilience"
import { ours, source } from "./support/say.ts"

class NobodyTakes extends Schema.TaggedError<NobodyTakes>()("NobodyTakes", { method: Schema.String }) {
  override get message(): string {
    return `Unsupported payment method: ${this.method}`
  }
}
class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {}) {}

interface Payment {
  readonly amount: number
  readonly method: string
  readonly userId: string
}

/** A link answers, or says with `None` that the request is not its own. */
type Link<A, E> = (payment: Payment) => Option.Option<Effect.Effect<A, E>>

/** The first link that takes the request answers it. Links that do not are ordinary functions, so nothing runs twice. */
const chain = <A, E>(...links: ReadonlyArray<Link<A, E>>) => (payment: Payment): Effect.Effect<A, E | NobodyTakes> =>
  Option.getOrElse(
    Option.firstSomeOf(links.map((link) => link(payment))),
    () => new NobodyTakes({ method: payment.method })
  )

const takes = (method: string, prefix: string): Link<string, never> => (payment) =>
  payment.method === method
    ? Option.some(Effect.succeed(`${prefix}_${payment.userId}_${payment.amount * 100}`))
    : Option.none()

const pay = chain(takes("credit_card", "cc"), takes("paypal", "pp"), takes("bank_transfer", "bt"))

const program = Effect.gen(function*() {
  source("Processed $100.0 via credit card, $50.0 via PayPal, $200.0 via bank transfer")
  ours(yield* pay({ amount: 100, method: "credit_card", userId: "user1" }))
  ours(yield* pay({ amount: 50, method: "paypal", userId: "user2" }))
  ours(yield* pay({ amount: 200, method: "bank_transfer", userId: "user3" }))

  source("Unsupported payment method: crypto, said by a default handler; a chain without one answers None")
  const refused = yield* Effect.flip(pay({ amount: 75, method: "crypto", userId: "user4" }))
  ours(`${refused._tag}: ${refused.message}`)

  source("a chain that raises ConnectionError: data=cached_or_default, source=fallback")
  const broken: Link<string, ConnectionLost> = ({ method }) =>
    method === "error" ? Option.some(new ConnectionLost()) : Option.none()
  const guarded = Fallback.handler({
    primary: { name: "payments.chain", handle: chain<string, ConnectionLost>(takes("credit_card", "cc"), broken) },
    fallback: { name: "payments.later", handle: (payment) => Effect.succeed(`later_${payment.userId}`) },
    on: ["ConnectionLost"]
  })
  ours(yield* guarded({ amount: 10, method: "credit_card", userId: "user5" }))
  ours(yield* guarded({ amount: 10, method: "error", userId: "user5" }))
  ours((yield* Effect.flip(guarded({ amount: 10, method: "crypto", userId: "user5" })))._tag)
})

await Effect.runPromise(program)
