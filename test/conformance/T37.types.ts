/** T37: there is no default store. A program that leaves the store out does not compile. */
import { Effect, Layer } from "effect"
import { type Rpc, RpcGroup } from "effect/rpc"
import { Command, Domain, Mediator, Query } from "effect-lifecycle/domain"
import { ById, byIdHandler, Cancel, Order, Pay, payHandler, Place, placeHandler } from "../domain/support/orders.ts"
import { memory } from "../domain/support/store.ts"

const run: (program: Effect.Effect<unknown, unknown>) => void = () => undefined
const place = Mediator.send(Place, { orderId: "o-1", quantity: 1 })
const handlers = Domain.toLayer([placeHandler, payHandler])

run(place.pipe(Effect.provide(handlers.pipe(Layer.provide(memory)))))

// @ts-expect-error the store is left out
run(place.pipe(Effect.provide(handlers)))

// @ts-expect-error the handler is left out
run(place.pipe(Effect.provide(memory)))

// @ts-expect-error another command's handler is no handler for this one
run(place.pipe(Effect.provide(Domain.toLayer([payHandler]).pipe(Layer.provide(memory)))))

// @ts-expect-error a query that reads the state store needs one
run(Mediator.query(ById, { orderId: "o-1" }).pipe(Effect.provide(Domain.toLayer([byIdHandler]))))

// @ts-expect-error a transaction needs a store
run(Domain.transaction(Effect.void))

const group = RpcGroup.make(Place, Cancel)
const serve = (handlers: Layer.Layer<Rpc.ToHandler<RpcGroup.Rpcs<typeof group>>>) => handlers

// @ts-expect-error an RPC server needs a handler for every definition of its group
serve(handlers.pipe(Layer.provide(memory)))

// @ts-expect-error a command needs a namespace
Command.make("Place")

// @ts-expect-error a query needs a namespace
Query.make("ById")

// @ts-expect-error a query is not sent
void Mediator.send(ById, { orderId: "o-1" })

// @ts-expect-error a command is not asked
void Mediator.query(Pay, { orderId: "o-1" })

// @ts-expect-error the payload is the command's
void Mediator.send(Pay, { id: "o-1" })

// @ts-expect-error the reply is the command's success
Domain.aggregateHandler(Pay, Order, { reply: () => ({ version: "1" }) })

// @ts-expect-error a command that no aggregate decides
Domain.aggregateHandler(Command.make("orders.Sweep"), Order, { reply: () => undefined })

// @ts-expect-error this aggregate does not decide this command
Domain.aggregateHandler(Command.make("a.B", { aggregateId: () => "1" }), Order, { reply: () => undefined })
