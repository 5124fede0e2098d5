/**
 * The shop of 06.5: a gateway and three services. Each runs in a process of its own, so nothing of the caller's fiber reaches
 * it but the headers, and each writes into a store of its own.
 */
import { Clock, Context, Duration, Effect, type Layer } from "effect"

export interface Headers {
  readonly [name: string]: string | undefined
}

export interface Reply {
  readonly status: number
}

export type ServiceName = "gateway" | "users" | "orders" | "payments"

/** Lines of text, by the service that wrote them. */
export type Stores = { readonly [name in ServiceName]: Array<string> }

/** What the exercise is about. */
export interface Tracing {
  readonly logs: (service: string, sink: (line: string) => void) => Layer.Layer<never>
  readonly receive: (service: string, handler: Effect.Effect<Reply>) => (headers: Headers) => Effect.Effect<Reply>
  readonly call: (service: (headers: Headers) => Effect.Effect<Reply>) => Effect.Effect<Reply>
}

/** What goes wrong. */
export interface Weather {
  /** So many charges of each order are refused before one is accepted. */
  readonly refusals?: number
  /** Users has a bug. */
  readonly usersBroken?: boolean
  /** How long the way to users takes, in milliseconds. */
  readonly usersMillis?: number
}

export const emptyStores = (): Stores => ({ gateway: [], users: [], orders: [], payments: [] })

/** The gateway of a shop: give it the number of an order, and what the outside world sends. */
export const open = (tracing: Tracing, stores: Stores, weather: Weather = {}) => {
  const charges = new Map<string, number>()

  /** One visit: the way there, and the handler in the service's own process. */
  const visit =
    (name: ServiceName, millis: number, path: string, work: Effect.Effect<Reply>) =>
    (headers: Headers): Effect.Effect<
      Reply
    > =>
      Effect.andThen(Effect.logInfo(`asked for ${path}`), work).pipe(
        (handler) => tracing.receive(name, handler)(headers),
        Effect.catchCause(() => Effect.succeed({ status: 500 })),
        Effect.provide(tracing.logs(name, (line) => {
          stores[name].push(line)
        })),
        Effect.updateContext((context: Context.Context<never>) =>
          Context.make(Clock.Clock, Context.get(context, Clock.Clock))
        ),
        Effect.delay(Duration.millis(millis))
      )

  const payments = (path: string, millis: number) =>
    visit(
      "payments",
      millis,
      path,
      Effect.gen(function*() {
        yield* Effect.sleep("7 millis")
        const before = charges.get(path) ?? 0
        charges.set(path, before + 1)
        if (!path.startsWith("/charges") || before >= (weather.refusals ?? 0)) return { status: 200 }
        yield* Effect.logWarning("the card company is away")
        return { status: 503 }
      })
    )

  const users = (order: number) =>
    visit(
      "users",
      weather.usersMillis ?? 3,
      `/users/${order}`,
      Effect.gen(function*() {
        const limit = yield* tracing.call(payments(`/limits/${order}`, 4))
        if (weather.usersBroken === true) return yield* Effect.die("users has a bug")
        yield* Effect.logInfo("the limit is known")
        return limit
      })
    )

  const orders = (order: number) =>
    visit(
      "orders",
      1,
      `/orders/${order}`,
      Effect.gen(function*() {
        const charge = tracing.call(payments(`/charges/${order}`, 2))
        const first = yield* charge
        const charged = first.status === 503 ? yield* Effect.delay(charge, "5 millis") : first
        yield* Effect.logInfo(charged.status === 200 ? "charged" : "not charged")
        return charged
      })
    )

  return (order: number, headers: Headers): Effect.Effect<Reply> =>
    visit(
      "gateway",
      0,
      `/checkout/${order}`,
      Effect.gen(function*() {
        const legs = [tracing.call(users(order)), tracing.call(orders(order))]
        const replies = yield* Effect.all(legs, { concurrency: "unbounded" })
        const worst = Math.max(...replies.map((reply) => reply.status))
        yield* Effect.logInfo(`answered ${worst}`)
        return { status: worst }
      })
    )(headers)
}
