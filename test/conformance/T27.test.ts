import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Inbox, MemoryStore, Outbox, UnitOfWork } from "effect-lifecycle/store"

const enqueue = (message: Omit<Outbox.NewMessage, "topic">) =>
  Outbox.Outbox.use((outbox) => outbox.enqueue({ topic: "orders", ...message }))
const work = <E, R>(options: Outbox.Options<E, R>) =>
  Effect.forkChild(Outbox.Outbox.use((outbox) => outbox.run({ drain: 0, ...options })), { startImmediately: true })
const status = Outbox.Outbox.use((outbox) => outbox.status())
/** As long as it takes, a second at a time. */
const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function*() {
    for (let second = 0; second < 3600; second++) {
      if (yield* condition) return
      yield* TestClock.adjust("1 second")
    }
    assert.fail("not within an hour")
  })

describe("T27: an outbox with leases, order per key, backoff, dead letters, isolation, retention; an inbox without repeats", () => {
  it.effect("two workers deliver each message at least once, and the inbox filters repeats", () =>
    Effect.gen(function*() {
      const handled: Array<string> = []
      const inbox = yield* Inbox.Inbox
      const deliveries: Array<string> = []
      const publish = ({ id, key }: Outbox.Message) =>
        Effect.gen(function*() {
          deliveries.push(id)
          yield* inbox.once({ source: "mail < orders", id }, Effect.sync(() => handled.push(`${key}:${id}`)))
          // The first delivery of each third message is not confirmed: it is delivered again.
          if (deliveries.filter((one) => one === id).length === 1 && Number(id) % 3 === 0) {
            return yield* Effect.fail("lost")
          }
        })
      yield* work({ publish })
      yield* work({ publish })
      for (let i = 0; i < 30; i++) yield* enqueue({ id: String(i), key: `k-${i % 4}`, payload: i })
      yield* until(Effect.map(status, ({ pending }) => pending === 0))
      assert.strictEqual(deliveries.length, 40)
      assert.strictEqual(handled.length, 30)
      for (let k = 0; k < 4; k++) {
        const ids = handled.filter((one) => one.startsWith(`k-${k}:`)).map((one) => Number(one.slice(4)))
        assert.deepStrictEqual(ids, ids.toSorted((a, b) => a - b))
      }
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("poison does not block others: after N attempts with backoff it is a dead letter, and its key alone waits", () =>
    Effect.gen(function*() {
      const got: Array<unknown> = []
      const attempts: Array<number> = []
      let broken = true
      yield* work({
        attempts: 4,
        retry: Schedule.exponential("10 seconds"),
        publish: ({ payload }) =>
          Effect.gen(function*() {
            if (broken && payload === "poison") {
              attempts.push((yield* Effect.clockWith((clock) => clock.currentTimeMillis)) / 1000)
              return yield* Effect.fail("cannot take it")
            }
            got.push(payload)
          })
      })
      const id = yield* enqueue({ key: "a", payload: "poison" })
      yield* enqueue({ key: "a", payload: "a-2" })
      yield* enqueue({ key: "b", payload: "b-1" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(got, ["b-1"])
      yield* until(Effect.map(status, ({ dead }) => dead === 1))
      assert.deepStrictEqual(attempts, [0, 10, 30, 70])
      const [letter] = yield* Outbox.Outbox.use((outbox) => outbox.deadLetters())
      assert.deepInclude(letter, { id, attempts: 4, pausesKey: true })
      assert.deepInclude(yield* status, { pending: 1, pausedKeys: 1 })
      broken = false
      yield* Outbox.Outbox.use((outbox) => outbox.redeliver(id))
      yield* until(Effect.map(status, ({ pending }) => pending === 0))
      assert.deepStrictEqual(got, ["b-1", "poison", "a-2"])
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a message is kept with its transaction, and forgotten after its retention", () =>
    Effect.gen(function*() {
      const got: Array<unknown> = []
      const unit = yield* UnitOfWork.UnitOfWork
      yield* Effect.exit(unit.run(Effect.andThen(enqueue({ id: "m", payload: "undone" }), Effect.fail("no"))))
      yield* unit.run(enqueue({ id: "m", payload: "done" }))
      const fiber = yield* work({
        retention: "1 hour",
        publish: ({ payload }) =>
          Effect.sync(() => {
            got.push(payload)
          })
      })
      yield* until(Effect.map(status, ({ pending }) => pending === 0))
      yield* enqueue({ id: "m", payload: "repeated" })
      yield* TestClock.adjust("59 minutes")
      yield* enqueue({ id: "m", payload: "repeated" })
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(got, ["done"])
      yield* enqueue({ id: "m", payload: "new" })
      yield* until(Effect.sync(() => got.length === 2))
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a failed effect leaves the message to the next delivery", () =>
    Effect.gen(function*() {
      const inbox = yield* Inbox.Inbox
      const message = { source: "mail < orders", id: "m-1" }
      assert.isTrue(Exit.isFailure(yield* Effect.exit(inbox.once(message, Effect.fail("no")))))
      assert.isTrue(Option.isSome(yield* inbox.once(message, Effect.void)))
      assert.isTrue(Option.isNone(yield* inbox.once(message, Effect.void)))
    }).pipe(Effect.provide(MemoryStore.layer)))
})
