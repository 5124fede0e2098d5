/** What the outbox and the inbox promise over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Fiber, type Layer, Option, Schedule, Schema } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { EventStore, Inbox, Outbox, StateStore, type Subscription, Tenant, UnitOfWork } from "effect-lifecycle/store"

export type Stores =
  | EventStore.EventStore
  | Inbox.Inbox
  | Outbox.Outbox
  | StateStore.StateStore
  | Subscription.Subscriptions
  | UnitOfWork.UnitOfWork

const outbox = Outbox.Outbox
const inbox = Inbox.Inbox
const unit = UnitOfWork.UnitOfWork

let topics = 0
/** A topic nobody has used. */
export const fresh = (): string => `topic-${++topics}`
const enqueue = (message: Outbox.NewMessage) => outbox.use((box) => box.enqueue(message))
const statusOf = (topic: string) => outbox.use((box) => box.status({ topics: [topic] }))
const lettersOf = (topic: string) => outbox.use((box) => box.deadLetters({ topics: [topic] }))
/** A worker that is stopped with its scope. */
const work = <E, R>(topic: string, options: Omit<Outbox.Options<E, R>, "topics">) =>
  Effect.forkChild(outbox.use((box) => box.run({ drain: 0, ...options, topics: [topic] })), { startImmediately: true })
const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => "not yet" as const),
    Effect.retry({ schedule: Schedule.spaced("5 millis"), while: (error) => error === "not yet" }),
    Effect.timeout("10 seconds")
  )
const settled = (topic: string) => until(Effect.map(statusOf(topic), ({ pending }) => pending === 0))
const collector = () => {
  const got: Array<Outbox.Message> = []
  const publish = (message: Outbox.Message) =>
    Effect.sync(() => {
      got.push(message)
    })
  return { got, publish, payloads: () => got.map(({ payload }) => payload) }
}
const now = Clock.currentTimeMillis
const quick = Schedule.spaced("1 millis")

/**
 * Claims a message for 200 ms as a worker does that hangs: its time stands still, so it neither renews its lease nor ends.
 */
const abandoned = (topic: string) =>
  Effect.gen(function*() {
    const reached = yield* Deferred.make<void>()
    const clock = yield* Clock.Clock
    yield* Effect.forkDetach(
      outbox.use((box) =>
        box.run({
          topics: [topic],
          lease: "200 millis",
          batchSize: 1,
          publish: () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
        })
      ).pipe(Effect.provideService(
        Clock.Clock,
        Object.assign(Object.create(clock) as Clock.Clock, { sleep: () => Effect.never })
      ))
    )
    yield* Deferred.await(reached)
  })

export const outboxContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Outbox", (it) => {
      it.effect("publishes what was enqueued, as it was, with the ids of the request", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { got, publish } = collector()
          const payload = { text: "äöü \u2028 \0 \ud800", nested: [1, null, { deep: true }] }
          const id = yield* enqueue({ topic, key: "k", payload, headers: { a: "1", actor: "own" } }).pipe(
            Effect.provideService(RequestId.Current, RequestId.parse("req-1")),
            Tenant.within("acme")
          )
          const before = yield* statusOf(topic)
          assert.deepInclude(before, { pending: 1, inFlight: 0, dead: 0, pausedKeys: 0 })
          assert.isAtLeast(before.oldestMillis ?? -1, 0)
          let within: string | undefined
          yield* work(topic, {
            publish: (message) =>
              Effect.andThen(
                Effect.map(Tenant.Current, (tenant) => {
                  within = tenant
                }),
                publish(message)
              )
          })
          yield* settled(topic)
          assert.strictEqual(got.length, 1)
          assert.deepInclude(got[0], {
            id,
            topic,
            key: "k",
            tenant: "acme",
            payload,
            headers: { a: "1", actor: "own", requestId: "req-1", correlationId: "req-1" },
            attempt: 1,
            token: 1n
          })
          assert.strictEqual(within, "acme")
          assert.deepStrictEqual(yield* statusOf(topic), {
            pending: 0,
            inFlight: 0,
            dead: 0,
            pausedKeys: 0,
            oldestMillis: undefined
          })
        }))
      it.effect("keeps a message exactly when its transaction commits", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          yield* work(topic, { publish })
          const service = yield* unit
          yield* service.run(Effect.andThen(enqueue({ topic, payload: "rolled back" }), Effect.fail("no"))).pipe(
            Effect.flip
          )
          yield* service.run(Effect.gen(function*() {
            yield* enqueue({ topic, payload: "committed" })
            yield* Effect.sleep("30 millis")
            assert.deepStrictEqual(payloads(), [])
          }))
          yield* settled(topic)
          assert.deepStrictEqual(payloads(), ["committed"])
        }))
      it.effect("is woken at once by a commit of its own process", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          yield* work(topic, { publish })
          yield* Effect.sleep("50 millis")
          const [taken] = yield* Effect.timed(Effect.andThen(
            enqueue({ topic, payload: 1 }),
            until(Effect.sync(() => payloads().length === 1))
          ))
          assert.isBelow(Duration.toMillis(taken), 400) // the poll is every 500 ms
        }))
      it.effect("keeps the order of each key while many are published at once by three workers", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const got: Array<Outbox.Message> = []
          const inFlight = new Set<string>()
          const publish = (message: Outbox.Message) =>
            Effect.gen(function*() {
              const key = message.key ?? ""
              assert.isFalse(inFlight.has(key), `two messages of ${key} at once`)
              inFlight.add(key)
              yield* Effect.sleep((message.sequence % 3n) === 0n ? "2 millis" : "0 millis")
              inFlight.delete(key)
              got.push(message)
            })
          for (let worker = 0; worker < 3; worker++) yield* work(topic, { publish, batchSize: 7, poison: "skip" })
          yield* Effect.forEach(
            Array.from({ length: 40 }, (_, i) => i),
            (i) =>
              outbox.use((box) =>
                box.enqueueAll(Array.from({ length: 5 }, (_, k) => ({ topic, key: `k-${k}`, payload: i })))
              )
          )
          yield* settled(topic)
          assert.strictEqual(got.length, 200)
          for (let k = 0; k < 5; k++) {
            const payloads = got.filter(({ key }) => key === `k-${k}`).map(({ payload }) => payload)
            assert.deepStrictEqual(payloads, Array.from({ length: 40 }, (_, i) => i))
          }
          assert.strictEqual((yield* statusOf(topic)).dead, 0)
        }))
      it.effect("publishes each message once with four workers that want all of them", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          yield* outbox.use((box) => box.enqueueAll(Array.from({ length: 300 }, (_, i) => ({ topic, payload: i }))))
          for (let worker = 0; worker < 4; worker++) yield* work(topic, { publish, batchSize: 20 })
          yield* settled(topic)
          const numbers = payloads().map(Number).toSorted((a, b) => a - b)
          assert.deepStrictEqual(numbers, Array.from({ length: 300 }, (_, i) => i))
        }))
      it.effect("tries again by the schedule, and counts the attempts", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const attempts: Array<readonly [number, number]> = []
          yield* enqueue({ topic, payload: 1 })
          const start = yield* now
          yield* work(topic, {
            retry: Schedule.exponential("40 millis"),
            publish: ({ attempt }) =>
              Effect.gen(function*() {
                attempts.push([attempt, (yield* now) - start])
                if (attempt < 4) return yield* Effect.fail("not yet")
              })
          })
          yield* settled(topic)
          assert.deepStrictEqual(attempts.map(([attempt]) => attempt), [1, 2, 3, 4])
          const waits = attempts.slice(1).map(([, at], index) => at - (attempts[index]?.[1] ?? 0))
          assert.isAtLeast(waits[0] ?? 0, 35)
          assert.isAtLeast(waits[1] ?? 0, 75)
          assert.isAtLeast(waits[2] ?? 0, 155)
          assert.isBelow(waits[2] ?? 0, 1500)
        }))
      it.effect("buries a poisoned message after its attempts, and stops nothing but its key", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          let broken = true
          yield* work(topic, {
            retry: quick,
            attempts: 3,
            publish: (message) =>
              broken && message.payload === "poison"
                ? message.attempt % 2 === 0 ? Effect.die(new Error("a bug")) : Effect.fail("cannot take it")
                : publish(message)
          })
          const id = yield* enqueue({ topic, key: "a", payload: "poison" })
          yield* enqueue({ topic, key: "a", payload: "a-2" })
          yield* enqueue({ topic, key: "b", payload: "b-1" })
          yield* enqueue({ topic, payload: "free" })
          yield* until(Effect.map(statusOf(topic), ({ dead, pending }) => dead === 1 && pending === 1))
          yield* enqueue({ topic, key: "a", payload: "a-3" })
          yield* Effect.sleep("50 millis")
          assert.deepStrictEqual(payloads().toSorted(), ["b-1", "free"])
          const [letter, ...others] = yield* lettersOf(topic)
          assert.lengthOf(others, 0)
          assert.deepInclude(letter, { id, topic, key: "a", payload: "poison", attempts: 3, pausesKey: true })
          assert.include(letter?.reason, "cannot take it")
          assert.deepInclude(yield* statusOf(topic), { pending: 2, inFlight: 0, dead: 1, pausedKeys: 1 })
          // Nothing of another tenant is reached by its id.
          assert.isFalse(yield* outbox.use((box) => box.redeliver(id)).pipe(Tenant.within("another")))
          broken = false
          assert.isTrue(yield* outbox.use((box) => box.redeliver(id)))
          assert.isFalse(yield* outbox.use((box) => box.redeliver(id)))
          yield* settled(topic)
          assert.deepStrictEqual(payloads().slice(-3), ["poison", "a-2", "a-3"])
          assert.lengthOf(yield* lettersOf(topic), 0)
        }))
      it.effect("lets a key go on when its dead letter is discarded", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          yield* work(topic, {
            retry: Schedule.recurs(0),
            publish: (message) => message.payload === 0 ? Effect.fail("no") : publish(message)
          })
          const id = yield* enqueue({ topic, key: "a", payload: 0 })
          yield* enqueue({ topic, key: "a", payload: 1 })
          yield* until(Effect.map(statusOf(topic), ({ dead }) => dead === 1))
          assert.isTrue(yield* outbox.use((box) => box.discard(id)))
          assert.isFalse(yield* outbox.use((box) => box.discard(id)))
          yield* settled(topic)
          assert.deepStrictEqual(payloads(), [1])
        }))
      it.effect("goes on with the key of a poisoned message where the policy is to skip", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          let broken = true
          yield* work(topic, {
            retry: quick,
            attempts: 2,
            poison: "skip",
            publish: (message) => broken && message.payload === 0 ? Effect.fail("no") : publish(message)
          })
          const id = yield* enqueue({ topic, key: "a", payload: 0 })
          yield* enqueue({ topic, key: "a", payload: 1 })
          yield* settled(topic)
          assert.deepStrictEqual(payloads(), [1])
          assert.deepInclude((yield* lettersOf(topic))[0], { id, attempts: 2, pausesKey: false })
          broken = false
          yield* outbox.use((box) => box.redeliver(id))
          yield* settled(topic)
          assert.deepStrictEqual(payloads(), [1, 0])
        }))
      it.effect("is taken over after the lease of a worker that is gone, under a higher token", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { got, publish } = collector()
          yield* enqueue({ topic, key: "a", payload: 1 })
          yield* enqueue({ topic, key: "a", payload: 2 })
          yield* abandoned(topic)
          assert.deepInclude(yield* statusOf(topic), { pending: 2, inFlight: 1 })
          yield* work(topic, { publish })
          yield* Effect.sleep("50 millis")
          assert.lengthOf(got, 0)
          yield* settled(topic)
          assert.deepStrictEqual(got.map(({ attempt, payload, token }) => [payload, attempt, token]), [
            [1, 2, 2n],
            [2, 1, 1n]
          ])
        }))
      it.effect("keeps a message whose publishing takes longer than the lease", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          let begun = 0
          const slow = {
            lease: "1 second",
            publish: (message: Outbox.Message) =>
              Effect.suspend(() => {
                begun++
                return Effect.andThen(Effect.sleep("2500 millis"), publish(message))
              })
          } as const
          yield* work(topic, slow)
          yield* work(topic, slow)
          yield* enqueue({ topic, payload: 1 })
          yield* settled(topic)
          assert.deepStrictEqual([begun, payloads()], [1, [1]])
        }))
      it.effect("finishes what it is publishing when it is stopped, and gives the rest back untried", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          const reached = yield* Deferred.make<void>()
          for (let i = 0; i < 3; i++) yield* enqueue({ topic, payload: i })
          const fiber = yield* work(topic, {
            concurrency: 1,
            drain: "5 seconds",
            publish: (message) =>
              Effect.andThen(
                Effect.andThen(Deferred.succeed(reached, undefined), Effect.sleep("100 millis")),
                publish(message)
              )
          })
          yield* Deferred.await(reached)
          const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
          assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
          assert.lengthOf(payloads(), 1)
          assert.deepInclude(yield* statusOf(topic), { pending: 2, inFlight: 0 })
          const rest = collector()
          yield* work(topic, { publish: rest.publish })
          yield* settled(topic)
          assert.deepStrictEqual([...payloads(), ...rest.payloads()].toSorted(), [0, 1, 2])
          assert.isTrue(rest.got.every(({ attempt }) => attempt === 1))
        }))
      it.effect("gives up a message after attempts none of which came back", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { got, publish } = collector()
          const id = yield* enqueue({ topic, payload: 1 })
          for (let i = 0; i < 2; i++) {
            yield* abandoned(topic)
            yield* Effect.sleep("250 millis")
          }
          yield* work(topic, { publish, attempts: 2 })
          yield* until(Effect.map(statusOf(topic), ({ dead }) => dead === 1))
          assert.lengthOf(got, 0)
          const [letter] = yield* lettersOf(topic)
          assert.strictEqual(letter?.id, id)
          assert.include(letter?.reason, "no worker")
        }))
      it.effect("keeps an id once, of each tenant, until it is pruned", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const id = `own-${topic}`
          const { payloads, publish } = collector()
          yield* work(topic, { publish })
          assert.strictEqual(yield* enqueue({ topic, id, payload: 1 }), id)
          assert.strictEqual(yield* enqueue({ topic, id, payload: 2 }), id)
          yield* enqueue({ topic, id, payload: 3 }).pipe(Tenant.within("another"))
          yield* settled(topic)
          yield* enqueue({ topic, id, payload: 4 })
          yield* settled(topic)
          assert.deepStrictEqual(payloads().toSorted(), [1, 3])
          assert.strictEqual(yield* outbox.use((box) => box.prune("1 hour")), 0)
          yield* Effect.sleep("5 millis")
          assert.isAtLeast(yield* outbox.use((box) => box.prune(0)), 2)
          yield* enqueue({ topic, id, payload: 5 })
          yield* settled(topic)
          assert.deepStrictEqual(payloads().toSorted(), [1, 3, 5])
        }))
      it.effect("holds a delayed message, and the later ones of its key", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { payloads, publish } = collector()
          yield* work(topic, { publish })
          yield* enqueue({ topic, key: "a", payload: "later", delay: "200 millis" })
          yield* enqueue({ topic, key: "a", payload: "after" })
          yield* enqueue({ topic, payload: "now" })
          yield* until(Effect.sync(() => payloads().length === 1))
          assert.deepStrictEqual(payloads(), ["now"])
          yield* settled(topic)
          assert.deepStrictEqual(payloads(), ["now", "later", "after"])
        }))
      it.effect("refuses a message that cannot be stored, and options that make no sense", () =>
        Effect.gen(function*() {
          const fieldOf = (message: Outbox.NewMessage) =>
            Effect.map(
              Effect.flip(enqueue(message)),
              (error) => error._tag === "InvalidMessage" ? error.field : error._tag
            )
          const cycle: Array<unknown> = []
          cycle.push(cycle)
          assert.strictEqual(yield* fieldOf({ topic: "", payload: 1 }), "topic")
          assert.strictEqual(yield* fieldOf({ topic: "t\0", payload: 1 }), "topic")
          assert.strictEqual(yield* fieldOf({ topic: "t", key: "", payload: 1 }), "key")
          assert.strictEqual(yield* fieldOf({ topic: "t", id: "x".repeat(256), payload: 1 }), "id")
          assert.strictEqual(yield* fieldOf({ topic: "t", payload: cycle }), "payload")
          const box = yield* outbox
          const optionOf = (options: Partial<Outbox.Options<never, never>>) =>
            Effect.map(Effect.flip(box.run({ publish: () => Effect.void, ...options })), ({ option }) => option)
          assert.strictEqual(yield* optionOf({ batchSize: 0 }), "batchSize")
          assert.strictEqual(yield* optionOf({ concurrency: 1.5 }), "concurrency")
          assert.strictEqual(yield* optionOf({ lease: "10 millis" }), "lease")
          assert.strictEqual(yield* optionOf({ attempts: 0 }), "attempts")
          const service = yield* unit
          const inside = yield* Effect.exit(service.run(box.run({ publish: () => Effect.void })))
          assert.isTrue(Exit.isFailure(inside) && Cause.hasDies(inside.cause))
          assert.deepStrictEqual(yield* box.enqueueAll([]), [])
        }))
      it.effect("makes messages of events once each, with the checkpoint", () =>
        Effect.gen(function*() {
          const topic = fresh()
          const { got, publish } = collector()
          const place = (id: string) =>
            EventStore.EventStore.use((store) =>
              store.append({
                stream: { category: topic, id },
                expect: "any",
                events: [{ type: "Placed", data: { id } }, { type: "Noticed", data: {} }]
              })
            )
          yield* place("o-1")
          let failures = 1
          const relaying = {
            name: topic,
            categories: [topic],
            retry: quick,
            messages: (event: EventStore.StoredEvent) =>
              Effect.suspend(() =>
                event.type !== "Placed"
                  ? Effect.succeed([])
                  : failures-- > 0
                  ? Effect.fail("once")
                  : Effect.succeed([{ topic, key: event.stream.id, payload: event.data }])
              )
          }
          const first = yield* Effect.forkChild(Outbox.relay(relaying))
          yield* work(topic, { publish })
          yield* until(Effect.sync(() => got.length === 1))
          yield* Fiber.interrupt(first)
          yield* Effect.forkChild(Outbox.relay(relaying))
          yield* place("o-2").pipe(Tenant.within("acme"))
          yield* until(Effect.sync(() => got.length === 2))
          assert.deepStrictEqual(got.map(({ key, payload, tenant }) => [tenant, key, payload]), [
            ["", "o-1", { id: "o-1" }],
            ["acme", "o-2", { id: "o-2" }]
          ])
          assert.match(got[0]?.id ?? "", new RegExp(`^[0-9a-f-]{36}/${topic}/0$`))
          assert.strictEqual(got[0]?.headers["causationId"], got[0]?.id.slice(0, 36))
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Inbox", (it) => {
      let made = 0
      const received = (): Inbox.Received => ({ source: "here < there", id: `m-${++made}` })
      const once = <A, E2, R>(message: Inbox.Received, effect: Effect.Effect<A, E2, R>) =>
        inbox.use((box) => box.once(message, effect))
      const counts = StateStore.collection({
        name: "inbox-counts",
        schema: Schema.Struct({ count: Schema.Int }),
        indexes: []
      })
      const countOf = (id: string) =>
        StateStore.StateStore.use((states) => states.get(counts, id)).pipe(
          Effect.map((found) => Option.match(found, { onNone: () => 0, onSome: ({ state }) => state.count }))
        )
      const count = (id: string) =>
        StateStore.StateStore.use((states) =>
          Effect.flatMap(countOf(id), (before) => states.put(counts, { id, version: 1, state: { count: before + 1 } }))
        )

      it.effect("runs an effect for a new message, and not for one that was handled", () =>
        Effect.gen(function*() {
          const message = received()
          assert.isFalse(yield* inbox.use((box) => box.seen(message)))
          const deliver = once(message, Effect.as(count(message.id), "done"))
          assert.deepStrictEqual([yield* deliver, yield* deliver], [Option.some("done"), Option.none()])
          assert.strictEqual(yield* countOf(message.id), 1)
          assert.isTrue(yield* inbox.use((box) => box.seen(message)))
          // Another handler of the same message, and another tenant's message of the same id, are others.
          assert.isTrue(Option.isSome(yield* once({ ...message, source: "another" }, Effect.void)))
          assert.isTrue(Option.isSome(yield* once(message, Effect.void).pipe(Tenant.within("acme"))))
        }))
      it.effect("handles a message again whose effect failed", () =>
        Effect.gen(function*() {
          const message = received()
          const failing = once(message, Effect.andThen(count(message.id), Effect.fail("no")))
          assert.strictEqual(yield* Effect.flip(failing), "no")
          assert.isTrue(Exit.isFailure(yield* Effect.exit(once(message, Effect.die(new Error("a bug"))))))
          assert.isFalse(yield* inbox.use((box) => box.seen(message)))
          assert.isTrue(Option.isSome(yield* once(message, count(message.id))))
          assert.strictEqual(yield* countOf(message.id), 1)
        }))
      it.effect("leaves no record of an effect that failed inside an open transaction, also where that is caught", () =>
        Effect.gen(function*() {
          const message = received()
          const service = yield* unit
          const caught = yield* service.run(Effect.result(once(message, Effect.fail("no"))))
          assert.strictEqual(caught._tag, "Failure")
          assert.isFalse(yield* inbox.use((box) => box.seen(message)))
          yield* service.run(once(message, Effect.void))
          assert.isTrue(yield* inbox.use((box) => box.seen(message)))
        }))
      for (const outcome of ["commit", "rollback"] as const) {
        it.effect(`makes a second delivery wait for the first, which ends in a ${outcome}`, () =>
          Effect.gen(function*() {
            const message = received()
            const inside = yield* Deferred.make<void>()
            const ending = yield* Deferred.make<void, string>()
            const first = yield* Effect.forkChild(Effect.exit(once(
              message,
              Effect.gen(function*() {
                yield* count(message.id)
                yield* Deferred.succeed(inside, undefined)
                yield* Deferred.await(ending)
              })
            )))
            yield* Deferred.await(inside)
            const second = yield* Effect.forkChild(once(message, count(message.id)), { startImmediately: true })
            yield* Effect.sleep("80 millis")
            assert.isUndefined(second.pollUnsafe())
            yield* outcome === "commit" ? Deferred.succeed(ending, undefined) : Deferred.fail(ending, "no")
            yield* Fiber.join(first)
            assert.strictEqual(Option.isSome(yield* Fiber.join(second)), outcome === "rollback")
            assert.strictEqual(yield* countOf(message.id), 1)
          }))
      }
      it.effect("lets one of sixteen deliveries at once through", () =>
        Effect.gen(function*() {
          const message = received()
          const all = yield* Effect.forEach(
            Array.from({ length: 16 }),
            () => once(message, count(message.id)),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(all.filter(Option.isSome).length, 1)
          assert.strictEqual(yield* countOf(message.id), 1)
        }))
      it.effect("forgets what it is told to, and what is old", () =>
        Effect.gen(function*() {
          const [one, two] = [received(), received()]
          yield* once(one, Effect.void)
          yield* once(two, Effect.void)
          assert.isTrue(yield* inbox.use((box) => box.forget(one)))
          assert.isFalse(yield* inbox.use((box) => box.forget(one)))
          assert.isTrue(Option.isSome(yield* once(one, Effect.void)))
          assert.strictEqual(yield* inbox.use((box) => box.prune("1 hour")), 0)
          yield* Effect.sleep("5 millis")
          assert.isAtLeast(yield* inbox.use((box) => box.prune(0)), 2)
          assert.isTrue(Option.isSome(yield* once(two, Effect.void)))
        }))
      it.effect("refuses a message without a name", () =>
        Effect.gen(function*() {
          const fieldOf = (message: Inbox.Received) =>
            Effect.map(Effect.flip(once(message, Effect.void)), (error) =>
              error._tag === "InvalidReceived" ? error.field : error._tag)
          assert.strictEqual(yield* fieldOf({ source: "", id: "1" }), "source")
          assert.strictEqual(yield* fieldOf({ source: "s", id: "" }), "id")
          assert.strictEqual(yield* fieldOf({ source: "s", id: "\ud800" }), "id")
          assert.isFalse(
            yield* inbox.use((box) =>
              box.seen({ source: "s", id: "\0" })
            )
          )
        }))
    })
  })
}
