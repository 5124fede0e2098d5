import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Option, Schema, Stream } from "effect"
import { Deadline, Priority, type Propagation, RequestId, RpcPropagation } from "effect-lifecycle/request"
import { Entity, TestRunner } from "effect/cluster"
import { Rpc, RpcClient, RpcGroup, RpcServer, RpcTest } from "effect/rpc"
import { TestClock } from "effect/testing"

const Seen = Schema.Struct({
  leftMillis: Schema.NullOr(Schema.Finite),
  priority: Schema.String,
  requestId: Schema.NullOr(Schema.String)
})
const Look = Rpc.make("Look", { success: Seen })
const Hang = Rpc.make("Hang", { success: Schema.Void })
const Ticks = Rpc.make("Ticks", { success: Schema.Int, stream: true })
const group = RpcGroup.make(Look, Hang, Ticks).middleware(RpcPropagation.RpcPropagation)

const interrupted: Array<string> = []
const handlers = group.toLayer({
  Look: () =>
    Effect.gen(function*() {
      return {
        leftMillis: Option.getOrNull(Option.map(yield* Deadline.remaining, Duration.toMillis)),
        priority: yield* Priority.Current,
        requestId: Option.getOrNull(yield* RequestId.Current)
      }
    }),
  Hang: () => Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => interrupted.push("Hang")))),
  Ticks: () => Stream.tick("1 second").pipe(Stream.map(() => 1))
})

const live = (policy: Propagation.Policy, options?: Propagation.InjectOptions) =>
  Layer.mergeAll(handlers, RpcPropagation.layer(policy), RpcPropagation.layerClient(options))

const Place = Entity.make("Place", [Look.middleware(RpcPropagation.RpcPropagation)])
const PlaceLive = Place.toLayer({
  Look: () =>
    Effect.gen(function*() {
      return {
        leftMillis: Option.getOrNull(Option.map(yield* Deadline.remaining, Duration.toMillis)),
        priority: yield* Priority.Current,
        requestId: Option.getOrNull(yield* RequestId.Current)
      }
    })
}).pipe(
  Layer.provide(RpcPropagation.layer({ trusted: true, default: "10 seconds" })),
  Layer.provideMerge(TestRunner.layer),
  Layer.merge(RpcPropagation.layerClient())
)

// RpcTest runs the handler in the caller's fiber context, where the references would arrive without any header. Here the
// server starts from a context of its own, as it does behind a socket.
const makeApart = Effect.gen(function*() {
  const own = yield* Effect.context<never>()
  // oxlint-disable-next-line prefer-const
  let client!: Effect.Success<
    ReturnType<typeof RpcClient.makeNoSerialization<RpcGroup.Rpcs<typeof group>, never, false>>
  >
  const server = yield* RpcServer.makeNoSerialization(group, { onFromServer: (response) => client.write(response) })
  client = yield* RpcClient.makeNoSerialization(group, {
    supportsAck: true,
    onFromClient: ({ message }) => Effect.updateContext(server.write(0, message), () => own)
  })
  return client.client
})

describe("RpcPropagation", () => {
  it.effect("carries deadline, priority and request id from the caller's fiber to the handler's", () =>
    Effect.gen(function*() {
      const client = yield* makeApart
      const seen = yield* client.Look().pipe(
        Priority.withPriority("low"),
        RequestId.provide(RequestId.RequestId.make("order-42")),
        Deadline.within("2 seconds")
      )
      assert.deepStrictEqual(seen, { leftMillis: 1900, priority: "low", requestId: "order-42" })
    }).pipe(Effect.provide(live({ trusted: true }, { margin: "100 millis" }))))

  it.effect("replaces the id of an untrusted client and cuts its deadline to the maximum", () =>
    Effect.gen(function*() {
      const client = yield* makeApart
      const seen = yield* client.Look().pipe(
        Priority.withPriority("critical", { trusted: true }),
        RequestId.provide(RequestId.RequestId.make("order-42")),
        Deadline.within("20 seconds")
      )
      assert.deepStrictEqual([seen.leftMillis, seen.priority], [5000, "normal"])
      assert.notStrictEqual(seen.requestId, "order-42")
    }).pipe(Effect.provide(live({ maximum: "5 seconds" }))))

  it.effect("interrupts the handler at the deadline of the server and fails typed", () =>
    Effect.gen(function*() {
      interrupted.length = 0
      const client = yield* makeApart
      const fiber = yield* client.Hang().pipe(Effect.flip, Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(fiber)
      assert.deepStrictEqual([error._tag, interrupted], ["DeadlineExceeded", ["Hang"]])
    }).pipe(Effect.provide(live({ default: "3 seconds" }))))

  it.effect("interrupts the handler when the client's own deadline comes first", () =>
    Effect.gen(function*() {
      interrupted.length = 0
      const client = yield* makeApart
      const fiber = yield* client.Hang().pipe(
        Deadline.within("1 second"),
        Effect.flip,
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "DeadlineExceeded")
      assert.deepStrictEqual(interrupted, ["Hang"])
    }).pipe(Effect.provide(live({ trusted: true }))))

  it.effect("ends a stream at the deadline", () =>
    Effect.gen(function*() {
      const client = yield* makeApart
      const got: Array<number> = []
      const fiber = yield* client.Ticks().pipe(
        Stream.runForEach((n) => Effect.sync(() => got.push(n))),
        Effect.flip,
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "DeadlineExceeded")
      assert.isAtLeast(got.length, 2)
      assert.isAtMost(got.length, 4)
    }).pipe(Effect.provide(live({ default: "2500 millis" }))))

  it.effect("works with RpcTest", () =>
    Effect.gen(function*() {
      const client = yield* RpcTest.makeClient(group)
      assert.strictEqual((yield* client.Look().pipe(Deadline.within("2 seconds"))).leftMillis, 2000)
    }).pipe(Effect.provide(live({ trusted: true }))))

  it.effect("crosses the cluster", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust(1)
      const client = (yield* Place.client)("one")
      const seen = yield* client.Look().pipe(
        Priority.withPriority("low"),
        RequestId.provide(RequestId.RequestId.make("order-42")),
        Deadline.within("2 seconds")
      )
      assert.deepStrictEqual(seen, { leftMillis: 2000, priority: "low", requestId: "order-42" })
      assert.deepStrictEqual((yield* client.Look()).leftMillis, 10_000)
    }).pipe(Effect.provide(PlaceLive)))
})
