import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { EventStore, UnitOfWork } from "effect-lifecycle/store"
import { SqlError } from "effect/sql"
import type { Prepared } from "../../src/store/internal/appends.ts"
import * as Coalescer from "../../src/store/internal/pg/Coalescer.ts"

const prepared = (id: string, size = 10): Prepared => ({
  stream: { tenant: "", category: "C", id },
  expect: "any",
  commandId: undefined,
  given: 0,
  events: [{ id: "", type: "T", schemaVersion: 1, data: "x".repeat(size), meta: "{}" }]
})

const appended = (version: number): EventStore.Appended => ({
  _tag: "Appended",
  firstVersion: version,
  version,
  position: BigInt(version),
  replayed: false
})

const refusal = (code: string | undefined) =>
  new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause: { code }, operation: "execute" }) })

/** A coalescer over statements that wait to be let through. */
const make = (given: Partial<Coalescer.Options> = {}, fails?: (ids: ReadonlyArray<string>) => string | undefined) =>
  Effect.gen(function*() {
    const sent: Array<{ readonly ids: ReadonlyArray<string>; readonly gate: Deferred.Deferred<void> }> = []
    let inFlight = 0
    let most = 0
    const statement = <A>(ids: ReadonlyArray<string>, answer: Effect.Effect<A, SqlError.SqlError>) =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        sent.push({ ids, gate })
        most = Math.max(most, ++inFlight)
        yield* Effect.ensuring(Deferred.await(gate), Effect.sync(() => void inFlight--))
        const code = fails?.(ids)
        return yield* code === undefined ? answer : Effect.fail(refusal(code))
      })
    const coalescer = yield* Coalescer.make({
      together: (appends) =>
        statement(
          appends.map(({ stream }) => stream.id),
          Effect.sync(() => appends.map((_, index) => Exit.succeed(appended(index + 1))))
        ),
      alone: ({ stream }) =>
        statement([stream.id], Effect.succeed(appended(1))).pipe(
          Effect.mapError((error) => new EventStore.InvalidAppend({ field: stream.id, reason: error.message }))
        ),
      failed: () => Exit.fail(new UnitOfWork.StoreUnavailable({ operation: "append", reason: "lost" })),
      isUndone: (cause) =>
        cause.reasons.every((reason) =>
          Cause.isFailReason(reason) && (reason.error.reason.cause as { readonly code: string }).code === "22000"
        )
    }, { statements: 2, batch: 500, batchBytes: 1_000_000, queue: 10_000, ...given })
    const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })
    return {
      sent,
      most: () => most,
      append: (id: string, size?: number) => coalescer.append(() => prepared(id, size)),
      /** Starts the appends, and gives the statements the time to be sent. */
      start: (...ids: ReadonlyArray<string>) =>
        Effect.tap(
          Effect.forEach(
            ids,
            (id) => Effect.forkChild(coalescer.append(() => prepared(id)), { startImmediately: true })
          ),
          () => settled
        ),
      /** Lets the n-th statement through. */
      answer: (n: number) => Effect.andThen(Deferred.succeed(sent[n]!.gate, undefined), settled),
      ids: () => sent.map(({ ids }) => ids)
    }
  })

describe("Coalescer", () => {
  it.effect("sends what comes in one turn together, in the order of the names, and answers each after the statement", () =>
    Effect.gen(function*() {
      const { answer, ids, start } = yield* make()
      const fibers = yield* start("c", "a", "b")
      assert.deepStrictEqual(ids(), [["a", "b", "c"]])
      assert.isTrue(fibers.every((fiber) => fiber.pollUnsafe() === undefined))
      yield* answer(0)
      const results = yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(results.map((result) => result._tag === "Appended" ? result.version : 0), [3, 1, 2])
    }))

  it.effect("has so many statements on the way, and whatever waits goes with the next", () =>
    Effect.gen(function*() {
      const { answer, ids, most, start } = yield* make()
      yield* start("a")
      yield* start("b")
      yield* start("c")
      yield* start("d", "e")
      assert.deepStrictEqual(ids(), [["a"], ["b"]])
      yield* answer(1)
      assert.deepStrictEqual(ids(), [["a"], ["b"], ["c", "d", "e"]])
      yield* answer(0)
      yield* answer(2)
      assert.strictEqual(most(), 2)
    }))

  it.effect("has one append of a stream on the way, in the order in which they came", () =>
    Effect.gen(function*() {
      const { answer, ids, start } = yield* make()
      const fibers = yield* start("a", "a", "b", "a")
      assert.deepStrictEqual(ids(), [["a", "b"]])
      yield* start("c")
      assert.deepStrictEqual(ids(), [["a", "b"], ["c"]])
      yield* answer(1)
      assert.deepStrictEqual(ids(), [["a", "b"], ["c"]], "the next of `a` has to wait for the one on the way")
      yield* answer(0)
      assert.deepStrictEqual(ids(), [["a", "b"], ["c"], ["a"]])
      assert.deepStrictEqual(fibers.map((fiber) => fiber.pollUnsafe() !== undefined), [true, false, true, false])
      yield* answer(2)
      yield* answer(3)
      assert.isTrue(fibers.every((fiber) => fiber.pollUnsafe() !== undefined))
    }))

  it.effect("keeps a statement within its number of appends and its payload", () =>
    Effect.gen(function*() {
      const { answer, append, ids, start } = yield* make({ statements: 1, batch: 3, batchBytes: 1000 })
      yield* start("first")
      yield* start("a", "b", "c", "d")
      yield* Effect.forEach([["e", 500], ["f", 500], ["g", 5000]] as const, ([id, size]) =>
        Effect.forkChild(append(id, size), { startImmediately: true }))
      for (let n = 0; n < 5; n++) {
        yield* answer(n)
      }
      assert.deepStrictEqual(ids(), [["first"], ["a", "b", "c"], ["d", "e"], ["f"], ["g"]])
    }))

  it.effect("takes an interrupted append back while it waits, and not once it is on the way", () =>
    Effect.gen(function*() {
      const { answer, ids, start } = yield* make({ statements: 1 })
      const [onTheWay] = yield* start("a")
      const [first, second] = yield* start("b", "b")
      yield* Fiber.interrupt(first!)
      yield* Fiber.interrupt(onTheWay!)
      yield* answer(0)
      assert.deepStrictEqual(ids(), [["a"], ["b"]])
      yield* answer(1)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(second!)))
      assert.strictEqual(ids().length, 2)
      const [third] = yield* start("a")
      yield* answer(2)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(third!)), "the lane of an interrupted append is free again")
    }))

  it.effect("sends every append alone when the server has refused the statement, so that only the culprit fails", () =>
    Effect.gen(function*() {
      const { answer, ids, start } = yield* make({}, (ids) => ids.includes("b") ? "22000" : undefined)
      const fibers = yield* start("a", "b", "c")
      for (let n = 0; n < 4; n++) yield* answer(n)
      assert.deepStrictEqual(ids(), [["a", "b", "c"], ["a"], ["b"], ["c"]])
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true])
    }))

  it.effect("sends nothing again when the connection was lost, because it may have been stored", () =>
    Effect.gen(function*() {
      const { answer, ids, start } = yield* make({}, () => "08006")
      const fibers = yield* start("a", "b")
      yield* answer(0)
      assert.deepStrictEqual(ids(), [["a", "b"]])
      for (const fiber of fibers) {
        assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "StoreUnavailable")
      }
    }))

  it.effect("lets callers wait outside a full queue, in their order, and lets them go there", () =>
    Effect.gen(function*() {
      const { answer, ids, start } = yield* make({ statements: 1, queue: 2 })
      yield* start("a")
      const fibers = yield* start("b", "c", "d", "e", "f")
      yield* Fiber.interrupt(fibers[3]!) // e, outside
      yield* answer(0)
      assert.deepStrictEqual(ids(), [["a"], ["b", "c"]])
      yield* answer(1)
      assert.deepStrictEqual(ids(), [["a"], ["b", "c"], ["d", "f"]])
      yield* answer(2)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fibers[4]!)))
    }))

  it.effect("waits for what is on the way when its scope closes, and refuses the rest", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { answer, append, ids, start } = yield* Scope.provide(make({ statements: 1, queue: 1 }), scope)
      const fibers = [...(yield* start("a")), ...(yield* start("b", "c"))]
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* Effect.yieldNow
      assert.isUndefined(closing.pollUnsafe())
      for (const refused of fibers.slice(1)) {
        assert.match((yield* Effect.flip(Fiber.join(refused))).message, /being closed/)
      }
      yield* answer(0)
      yield* Fiber.join(closing)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fibers[0]!)))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(append("late"))))
      assert.deepStrictEqual(ids(), [["a"]])
    }))
})
