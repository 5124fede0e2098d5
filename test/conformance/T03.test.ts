import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schema, Stream } from "effect"
import { Domain, Mediator, Query, Saga } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { until, work } from "../domain/support/sagas.ts"
import { Join, joinHandler, logging, UserJoined } from "../domain/support/meetings.ts"
import { allEvents, memory } from "../domain/support/store.ts"

class Lost extends Schema.TaggedError<Lost>()("Lost", {}) {}

const Admit = Query.stream("meetings.Admit", {
  payload: { meetingId: Schema.String },
  success: Schema.String,
  error: Lost
})
const join = (userId: string) => Effect.orDie(Mediator.send(Join, { meetingId: "m-1", userId }))
/** An item, then the command that belongs to it. */
const admitted = (userId: string) => Stream.concat(Stream.make(userId), Stream.fromEffectDrain(join(userId)))
const admit = Mediator.stream(Admit, { meetingId: "m-1" })

/** A domain whose stream is this one, and who was told of whom. */
const admitting = (stream: Stream.Stream<string, Lost, StreamServices>) => {
  const { log, note } = logging()
  const layer = Domain.toLayer([
    joinHandler,
    Domain.streamHandler(Admit, () => stream),
    Domain.eventHandler(UserJoined, { name: "log", handle: ({ userId }) => note(userId) })
  ]).pipe(Layer.provideMerge(memory))
  return { log, layer }
}
type StreamServices = Effect.Services<ReturnType<typeof join>>

const stored = Effect.map(allEvents, (events) => events.map(({ data }) => data))

describe("T03: what happens after the last item of a stream is told, once, and after a failure only what was done", () => {
  it.effect("an event behind the last item is told once, and so are those between the items", () => {
    const { layer, log } = admitting(Stream.concat(admitted("ada"), admitted("bob")))
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Stream.runCollect(admit), ["ada", "bob"])
      assert.deepStrictEqual(log, ["ada", "bob"])
      assert.deepStrictEqual(yield* stored, [{ userId: "ada" }, { userId: "bob" }])
    }).pipe(Effect.provide(layer))
  })

  it.effect("a stream without items tells what it did", () => {
    const { layer, log } = admitting(Stream.fromEffectDrain(join("ada")))
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Stream.runCollect(admit), [])
      assert.deepStrictEqual(log, ["ada"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("a failure takes back nothing that was committed before it, and tells nothing that comes after", () => {
    const broken = Stream.concat(admitted("ada"), Stream.concat(Stream.fail(new Lost()), admitted("bob")))
    const { layer, log } = admitting(broken)
    return Effect.gen(function*() {
      const exit = yield* Effect.exit(Stream.runCollect(admit))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(log, ["ada"])
      assert.deepStrictEqual(yield* stored, [{ userId: "ada" }])
    }).pipe(Effect.provide(layer))
  })

  it.effect("a fallback tells its own events behind those of the stream that broke, each once", () => {
    const { log, note } = logging()
    const broken = Domain.streamHandler(Admit, () => Stream.concat(admitted("ada"), Stream.fail(new Lost())))
    const whole = Domain.streamHandler(Admit, () => Stream.concat(admitted("bob"), admitted("cem")))
    const layer = Domain.toLayer([
      joinHandler,
      Domain.withStreamFallback(broken, { fallback: whole, mode: "restart" }),
      Domain.eventHandler(UserJoined, { name: "log", handle: ({ userId }) => note(userId) })
    ]).pipe(Layer.provideMerge(memory))
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Stream.runCollect(admit), ["ada", "bob", "cem"])
      assert.deepStrictEqual(log, ["ada", "bob", "cem"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("whoever leaves early is not followed by what was to come, only by what the stream does when it is left", () => {
    const left = Stream.ensuring(Stream.concat(admitted("ada"), admitted("bob")), join("left"))
    const { layer, log } = admitting(left)
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(admit, 1)), ["ada"])
      assert.deepStrictEqual(log, ["left"])
    }).pipe(Effect.provide(layer))
  })

  it.live("the last step of a saga is told like the others, and after a crash what the next owner does", () => {
    const { log, note } = logging()
    const commands = Domain.toLayer([
      joinHandler,
      Domain.eventHandler(UserJoined, { name: "log", handle: ({ userId }) => note(userId) })
    ])
    return Effect.gen(function*() {
      const stuck = yield* Deferred.make<void>()
      const admission = (second: Effect.Effect<void>) =>
        Saga.make({ name: "Admission", input: Schema.Void })
          .step("ada", { inDoubt: "repeat", run: () => Effect.asVoid(join("ada")) })
          .step("bob", { inDoubt: "repeat", run: () => Effect.andThen(second, Effect.asVoid(join("bob"))) })
      const dying = yield* work([admission(Effect.andThen(Deferred.succeed(stuck, undefined), Effect.never))])
      const told: Array<string> = []
      const saga = admission(Effect.void)
      const watching = yield* Effect.forkChild(
        Stream.runForEach(
          Saga.stream(saga, { id: "1", input: undefined }),
          (progress) => Effect.sync(() => void told.push("step" in progress ? progress.step : progress._tag))
        )
      )
      yield* Deferred.await(stuck)
      yield* Fiber.interrupt(dying)
      yield* until(Effect.sync(() => told.length === 1))
      yield* work([saga])
      yield* Fiber.join(watching)
      assert.deepStrictEqual(told, ["ada", "bob", "Ended"])
      assert.deepStrictEqual(log, ["ada", "bob"])
    }).pipe(Effect.scoped, Effect.provide(commands.pipe(Layer.provideMerge(MemoryStore.layer))))
  })
})
