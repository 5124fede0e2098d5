/**
 * Carries deadline, priority, request id and trace context over `effect/rpc`: HTTP, web sockets, workers, and the cluster.
 *
 * Add {@link RpcPropagation} to a group. The client layer writes the headers of each call from the caller's fiber, the
 * server layer reads them, sets them for the handler and interrupts it at the deadline, so a budget set at the door is
 * spent once, however many sockets the work crosses.
 *
 * **Gotchas**
 *
 * - The middleware is required of clients: forgetting {@link layerClient} is a compile error, not a lost deadline.
 * - The wire holds the time that is left, and it starts to run when the server reads the message. A message that a cluster
 *   stores and delivers later has the budget it had when it was sent.
 * - A server behind a socket sees a peer, not a person. Trust it (`{ trusted: true }`) only when all its clients are yours.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Option, Schema } from "effect"
 * import { Deadline, RpcPropagation } from "effect-lifecycle/request"
 * import { Rpc, RpcGroup, RpcTest } from "effect/rpc"
 * import assert from "node:assert/strict"
 *
 * const Budget = Rpc.make("Budget", { success: Schema.Boolean })
 * const group = RpcGroup.make(Budget).middleware(RpcPropagation.RpcPropagation)
 * const server = Layer.mergeAll(
 *   group.toLayer({ Budget: () => Effect.map(Deadline.remaining, Option.isSome) }),
 *   RpcPropagation.layer({ trusted: true }),
 *   RpcPropagation.layerClient()
 * )
 * const program = Effect.gen(function*() {
 *   const client = yield* RpcTest.makeClient(group)
 *   return yield* client.Budget().pipe(Deadline.within("2 seconds"))
 * })
 *
 * assert.equal(await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(server))), true)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Layer } from "effect"
import * as RpcMiddleware from "effect/rpc/RpcMiddleware"
import * as Deadline from "./Deadline.ts"
import * as Propagation from "./Propagation.ts"

/**
 * The middleware to put on a group with `RpcGroup.middleware`; it adds `DeadlineExceeded` to the errors of its calls.
 *
 * @category services
 * @since 0.1.0
 */
export class RpcPropagation extends RpcMiddleware.Service<RpcPropagation>()(
  "effect-lifecycle/request/RpcPropagation",
  { error: Deadline.DeadlineExceeded, requiredForClient: true }
) {}

/**
 * The server's half: extracts under `policy`, runs the handler as that request, interrupts it at the deadline.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (policy?: Propagation.Policy): Layer.Layer<RpcPropagation> =>
  Layer.succeed(RpcPropagation, (effect, { headers }) =>
    Effect.flatMap(
      Propagation.extract(headers, policy),
      (extracted) => effect.pipe(Deadline.enforce, Propagation.run(extracted))
    ))

/**
 * The client's half: injects into the headers of every call.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerClient = (
  options?: Propagation.InjectOptions
): Layer.Layer<RpcMiddleware.ForClient<RpcPropagation>> =>
  RpcMiddleware.layerClient(RpcPropagation, ({ next, request }) =>
    Effect.flatMap(
      Propagation.inject(request.headers, options),
      (headers) => next({ ...request, headers })
    ))
