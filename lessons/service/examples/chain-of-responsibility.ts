/** Handlers of which each takes a request or leaves it to the next, and what the end of the chain is. */
import { Effect, Schema } from "effect"
import { ChainOfResponsibility, Command, Domain, Mediator, Middleware } from "effect-lifecycle/domain"
import { ours, source } from "./support/say.ts"

class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {}) {}

const Pay = Command.make("payments.Pay", {
  payload: { amount: Schema.Finite, method: Schema.String, userId: Schema.String },
  success: Schema.String,
  error: Schema.Union([ConnectionLost, ChainOfResponsibility.NotHandled])
})

const takes = (method: string, prefix: string) =>
  ChainOfResponsibility.link(Pay, {
    name: method,
    handle: (payment) =>
      payment.method === method
        ? Effect.succeed(`${prefix}_${payment.userId}_${payment.amount * 100}`)
        : ChainOfResponsibility.pass
  })

const requests: Array<string> = []
const counting = Middleware.make((request, self) =>
  Effect.andThen(Effect.sync(() => void requests.push(request.name)), self)
)

const links = [takes("credit_card", "cc"), takes("paypal", "pp"), takes("bank_transfer", "bt")]
const chain = Domain.toLayer([ChainOfResponsibility.make(Pay, links)], { middleware: [counting] })

const program = Effect.gen(function*() {
  source("Processed $100.0 via credit card, $50.0 via PayPal, $200.0 via bank transfer")
  ours(yield* Mediator.send(Pay, { amount: 100, method: "credit_card", userId: "user1" }))
  ours(yield* Mediator.send(Pay, { amount: 50, method: "paypal", userId: "user2" }))
  ours(yield* Mediator.send(Pay, { amount: 200, method: "bank_transfer", userId: "user3" }))
  ours(`the middleware ran ${requests.length} times, once around each chain`)

  source("Unsupported payment method: crypto, said by a default handler; a chain without one answers None")
  const crypto = Mediator.send(Pay, { amount: 75, method: "crypto", userId: "user4" })
  const refused = yield* Effect.flip(crypto)
  ours(`${refused._tag}: ${refused.message}`)
  const otherwise = ChainOfResponsibility.make(Pay, links, {
    otherwise: ({ method }) => Effect.succeed(`unsupported payment method: ${method}`)
  })
  ours(yield* crypto.pipe(Effect.provide(Domain.toLayer([otherwise]))))

  source("a chain that raises ConnectionError: data=cached_or_default, source=fallback")
  const broken = ChainOfResponsibility.link(Pay, {
    name: "bank_transfer",
    handle: ({ method }) => method === "bank_transfer" ? new ConnectionLost() : ChainOfResponsibility.pass
  })
  const later = ({ userId }: { readonly userId: string }) => Effect.succeed(`later_${userId}`)
  const whole = Domain.withFallback(ChainOfResponsibility.make(Pay, [takes("credit_card", "cc"), broken]), {
    fallback: Domain.handler(Pay, later),
    on: ["ConnectionLost"]
  })
  const transfer = { amount: 10, method: "bank_transfer", userId: "user5" }
  ours(yield* Mediator.send(Pay, transfer).pipe(Effect.provide(Domain.toLayer([whole]))))
  ours((yield* Effect.flip(crypto.pipe(Effect.provide(Domain.toLayer([whole])))))._tag)

  source("a link in the chain cannot have a fallback of its own")
  const guarded = ChainOfResponsibility.make(Pay, [
    ChainOfResponsibility.withFallback(broken, {
      fallback: ChainOfResponsibility.link(Pay, { name: "transfer later", handle: later })
    }),
    takes("paypal", "pp")
  ])
  ours(yield* Mediator.send(Pay, transfer).pipe(Effect.provide(Domain.toLayer([guarded]))))
})

await Effect.runPromise(program.pipe(Effect.provide(chain)))
