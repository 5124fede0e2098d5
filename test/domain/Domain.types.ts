/** What does not compile: a fallback or a chain of another definition, a follow-up that nobody handles. */
import { Effect, Layer, Schema, Stream } from "effect"
import { ChainOfResponsibility, Command, Domain, DomainEvent, Mediator, Query } from "effect-lifecycle/domain"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { type IdempotencyStore, MemoryStore } from "effect-lifecycle/store"

class Down extends Schema.TaggedError<Down>()("Down", {}) {}
class Full extends Schema.TaggedError<Full>()("Full", {}) {}

const Get = Query.make("profiles.Get", { payload: { id: Schema.String }, success: Schema.String, error: Down })
const OtherPayload = Query.make("profiles.Get", { payload: { key: Schema.Int }, success: Schema.String, error: Down })
const OtherSuccess = Query.make("profiles.Get", { payload: { id: Schema.String }, success: Schema.Int, error: Down })
const OtherTag = Query.make("profiles.Find", { payload: { id: Schema.String }, success: Schema.String, error: Down })
const get = Domain.handler(Get, ({ id }) => Effect.succeed(id))

Domain.withFallback(get, { fallback: get })
// @ts-expect-error: another payload under the same tag
Domain.withFallback(get, { fallback: Domain.handler(OtherPayload, () => Effect.succeed("")) })
// @ts-expect-error: another success under the same tag
Domain.withFallback(get, { fallback: Domain.handler(OtherSuccess, () => Effect.succeed(1)) })
// @ts-expect-error: another tag
Domain.withFallback(get, { fallback: Domain.handler(OtherTag, () => Effect.succeed("")) })
// data-last
const last: Domain.Handler<"profiles.Get", never, typeof Get> = Domain.withFallback({ fallback: get })(get)
// @ts-expect-error: data-last, another success
Domain.withFallback({ fallback: Domain.handler(OtherSuccess, () => Effect.succeed(1)) })(get)

Domain.withFallback(get, { fallback: get, on: ["Down", "StoreUnavailable", "CircuitOpen"] })
Domain.withFallback(get, { fallback: get, on: (failure) => failure._tag === "Down" })
// @ts-expect-error: no failure of the definition
Domain.withFallback(get, { fallback: get, on: ["Full"] })

const Items = Query.stream("items.All", { success: Schema.Struct({ id: Schema.String }), error: Down })
const Numbers = Query.stream("items.All", { success: Schema.Int, error: Down })
const items = Domain.streamHandler(Items, () => Stream.make({ id: "a" }))
Domain.withStreamFallback(items, { fallback: items, mode: { dedupeBy: ({ id }) => id }, on: ["Down"] })
// @ts-expect-error: items of another kind
Domain.withStreamFallback(items, { fallback: Domain.streamHandler(Numbers, () => Stream.make(1)), mode: "restart" })
// @ts-expect-error: no answer to what happens with delivered items is right for everybody
Domain.withStreamFallback(items, { fallback: items })
// @ts-expect-error: a stream is no handler of one answer
Domain.withFallback(get, { fallback: items })

const Joined = DomainEvent.make("Joined", { schema: { name: Schema.String } })
const Left = DomainEvent.make("Left", { schema: { name: Schema.String } })
const SameName = DomainEvent.make("Joined", { schema: { count: Schema.Int } })
const mail = Domain.eventHandler(Joined, { name: "mail", handle: () => new Down() })
Domain.withEventFallback(mail, { fallback: mail, on: ["Down"] })
// @ts-expect-error: another event
Domain.withEventFallback(mail, { fallback: Domain.eventHandler(Left, { name: "mail", handle: () => Effect.void }) })
Domain.withEventFallback(mail, {
  // @ts-expect-error: another definition under the same type name
  fallback: Domain.eventHandler(SameName, { name: "mail", handle: () => Effect.void })
})
// @ts-expect-error: no failure of the handler
Domain.withEventFallback(mail, { fallback: mail, on: ["Full"] })

// Follow-up events need handlers, in this layer or in one that it is given.
const answering = Domain.eventHandler(Joined, {
  name: "leaver",
  handle: ({ name }) => Effect.succeed([Left.make({ name })])
})
const listening = Domain.eventHandler(Left, { name: "log", handle: () => Effect.void })
const run = <A, E>(effect: Effect.Effect<A, E>) => effect
const publish = Mediator.publish([Joined.make({ name: "ada" })])
run(Effect.provide(publish, Domain.toLayer([answering, listening])))
run(Effect.provide(publish, Domain.toLayer([answering]).pipe(Layer.provide(Domain.toLayer([listening])))))
// @ts-expect-error: nobody handles "Left"
run(Effect.provide(publish, Domain.toLayer([answering])))
// @ts-expect-error: nobody handles "Joined"
run(Effect.provide(publish, Domain.toLayer([listening])))
// @ts-expect-error: "Left" has no handler
run(Effect.provide(Mediator.publish([Joined.make({ name: "" }), Left.make({ name: "" })]), Domain.toLayer([mail])))
// @ts-expect-error: a handler answers events, or nothing
Domain.eventHandler(Joined, { name: "mail", handle: () => Effect.succeed("sent") })
Domain.eventHandler(Joined, {
  name: "mail",
  // @ts-expect-error: not a field of the event
  handle: ({ email }) => Effect.log(email)
})

const Pay = Command.make("payments.Pay", { payload: { cents: Schema.Int }, success: Schema.String, error: Full })
const PayOrNot = Command.make("payments.Pay", {
  payload: { cents: Schema.Int },
  success: Schema.String,
  error: Schema.Union([Full, ChainOfResponsibility.NotHandled])
})
const card = ChainOfResponsibility.link(Pay, { name: "card", handle: () => ChainOfResponsibility.pass })
const cardOrNot = ChainOfResponsibility.link(PayOrNot, { name: "card", handle: () => ChainOfResponsibility.pass })
ChainOfResponsibility.make(Pay, [card], { otherwise: () => new Full() })
ChainOfResponsibility.make(PayOrNot, [cardOrNot])
// @ts-expect-error: the end of the chain is neither an answer nor one of the command's errors
ChainOfResponsibility.make(Pay, [card])
// @ts-expect-error: a link of another definition
ChainOfResponsibility.make(PayOrNot, [card])
// @ts-expect-error: not an answer of the command
ChainOfResponsibility.link(Pay, { name: "card", handle: () => Effect.succeed(1) })
// @ts-expect-error: not a failure of the command
ChainOfResponsibility.link(Pay, { name: "card", handle: () => new Down() })
ChainOfResponsibility.withFallback(card, { fallback: card, on: ["Full"] })
// @ts-expect-error: a fallback of another definition
ChainOfResponsibility.withFallback(card, { fallback: cardOrNot })

// What a fallback or a breaker needs and fails with is part of the layer's type.
export const guarded = Effect.gen(function*() {
  const breaker = yield* CircuitBreaker.make({
    name: "profiles",
    trip: CircuitBreaker.consecutive(1),
    breakDuration: "1 minute"
  })
  const handler = Domain.withFallback(get, { fallback: last, breaker })
  const error: Effect.Effect<string, { readonly _tag: "Down" | "StoreUnavailable" | "Refused" | "InvalidPayload" }> =
    Effect
      .provide(Mediator.query(Get, { id: "1" }), Domain.toLayer([handler]))
  return yield* error
})

// What a command that happens once needs and is.
const pay = Domain.handler(Pay, () => Effect.succeed("paid"))
const onePayment: Domain.Handler<"payments.Pay", IdempotencyStore.IdempotencyStore, typeof Pay> = Domain.idempotent(
  pay,
  {
    retryable: (error) => error._tag === "Full"
  }
)
Domain.toLayer([onePayment]).pipe(Layer.provide(MemoryStore.layer))
// @ts-expect-error: nowhere to keep the answer
export const unkept: Layer.Layer<Domain.Keys<typeof onePayment>> = Domain.toLayer([onePayment])
// @ts-expect-error: no error of the command
Domain.idempotent(pay, { retryable: (error) => error._tag === "Down" })
// @ts-expect-error: a query changes nothing
Domain.idempotent(get)
