/** What the outbox and the inbox report, over both stores. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schedule } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Inbox, MemoryStore, Outbox, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { fresh } from "./outboxContract.ts"

const outbox = Outbox.Outbox
const quick = Schedule.spaced("1 millis")
const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("10 seconds")
  )

type Of<Tag extends Recorder.Report["_tag"]> = Extract<Recorder.Report, { readonly _tag: Tag }>
const recorded = () => {
  const reports: Array<Recorder.Report> = []
  return {
    reports,
    of: <Tag extends Recorder.Report["_tag"]>(tag: Tag) =>
      reports.filter((report): report is Of<Tag> => report._tag === tag),
    recorder: (report: Recorder.Report) => {
      reports.push(report)
    }
  }
}

const contract = <E>(
  title: string,
  layer: Layer.Layer<Outbox.Outbox | Inbox.Inbox | UnitOfWork.UnitOfWork, E>
): void => {
  testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })(title, (it) => {
    it.effect("tell each attempt with its outcome, and what was given up, after the outbox has noted it", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const { of, recorder } = recorded()
        const box = yield* outbox
        yield* box.enqueueAll([
          { topic, key: "a", payload: "good" },
          { topic, key: "b", payload: "late" },
          { topic, key: "c", payload: "bad" }
        ])
        yield* Effect.sleep("50 millis")
        const worker = yield* Effect.forkChild(
          box.run({
            topics: [topic],
            attempts: 3,
            retry: quick,
            publish: ({ attempt, payload }) =>
              payload === "good" || (payload === "late" && attempt === 2) ? Effect.void : Effect.fail("no")
          }).pipe(Recorder.recordTo(recorder))
        )
        yield* until(Effect.map(box.status({ topics: [topic] }), ({ dead, pending }) => pending === 0 && dead === 1))
        yield* until(Effect.sync(() => of("MessageSettled").length >= 6))
        const settled = of("MessageSettled").map(({ attempt, outcome }) => `${attempt} ${outcome}`)
        assert.deepStrictEqual(settled.toSorted(), [
          "1 published",
          "1 retried",
          "1 retried",
          "2 published",
          "2 retried",
          "3 buried"
        ])
        for (const report of of("MessageSettled")) {
          assert.strictEqual(report.topic, topic)
          assert.isAtLeast(report.ageMillis, 20)
          assert.isBelow(report.ageMillis, 60_000)
        }
        yield* Fiber.interrupt(worker)
      }))
    it.effect("tell what there is to do, how old it is, and what waits for a person", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const { of, recorder } = recorded()
        const box = yield* outbox
        const run = (publish: () => Effect.Effect<void, string>) =>
          Effect.forkChild(
            box.run({ topics: [topic], attempts: 1, drain: 0, publish }).pipe(Recorder.recordTo(recorder))
          )
        yield* box.enqueue({ topic, key: "a", payload: 1 })
        const first = yield* run(() => Effect.fail("no"))
        yield* until(Effect.map(box.status({ topics: [topic] }), ({ dead }) => dead === 1))
        yield* Fiber.interrupt(first)
        const { at } = (yield* box.deadLetters({ topics: [topic] }))[0] ?? assert.fail("no dead letter")
        yield* box.enqueue({ topic, key: "a", payload: 2 })
        yield* box.enqueue({ topic, key: "b", payload: 3, delay: "1 hour" })
        yield* Effect.sleep("30 millis")
        const before = of("OutboxObserved").length
        const second = yield* run(() => Effect.void)
        yield* until(Effect.sync(() => of("OutboxObserved").length > before))
        const { oldestMillis, ...rest } = of("OutboxObserved").at(-1) ?? assert.fail("nothing observed")
        assert.deepStrictEqual(rest, {
          _tag: "OutboxObserved",
          topics: topic,
          pending: 2,
          deadLetters: 1,
          pausedKeys: 1
        })
        assert.isAtLeast(oldestMillis, 20)
        assert.isBelow(oldestMillis, 60_000)
        assert.isTrue(at instanceof Date)
        yield* Fiber.interrupt(second)
      }))
    it.effect("tell nothing of a message that was given back untried, and a retry of one that was stopped", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const { of, recorder } = recorded()
        const box = yield* outbox
        let begun = 0
        yield* box.enqueueAll([{ topic, payload: 1 }, { topic, payload: 2 }])
        const worker = yield* Effect.forkChild(
          box.run({
            topics: [topic],
            concurrency: 1,
            drain: 0,
            publish: () => Effect.andThen(Effect.sync(() => begun++), Effect.never)
          }).pipe(Recorder.recordTo(recorder))
        )
        yield* until(Effect.sync(() => begun === 1))
        yield* until(Effect.map(box.status({ topics: [topic] }), ({ inFlight }) => inFlight === 2))
        yield* Fiber.interrupt(worker)
        assert.deepStrictEqual(of("MessageSettled").map(({ attempt, outcome }) => [attempt, outcome]), [[1, "retried"]])
      }))
    it.effect("tell what came to an inbox, once what it did is committed", () =>
      Effect.gen(function*() {
        const source = fresh()
        const { of, recorder } = recorded()
        const outcomes = () => of("MessageReceived").map((report) => `${report.source} ${report.outcome}`)
        const inbox = yield* Inbox.Inbox
        const unit = yield* UnitOfWork.UnitOfWork
        const take = <A, E>(id: string, effect: Effect.Effect<A, E>) =>
          Recorder.recordTo(inbox.once({ source, id }, effect), recorder)
        assert.deepStrictEqual(yield* take("1", Effect.succeed("done")), Option.some("done"))
        assert.deepStrictEqual(yield* take("1", Effect.succeed("done")), Option.none())
        yield* Effect.exit(take("2", Effect.fail("no")))
        assert.deepStrictEqual(outcomes(), [`${source} handled`, `${source} repeated`, `${source} failed`])
        // Handled, and then undone by the transaction around it.
        yield* Effect.exit(unit.run(Effect.andThen(take("3", Effect.void), Effect.fail("no"))))
        assert.lengthOf(outcomes(), 3)
        yield* unit.run(Effect.gen(function*() {
          yield* take("4", Effect.void)
          assert.lengthOf(outcomes(), 3)
        }))
        assert.deepStrictEqual(outcomes().slice(3), [`${source} handled`])
      }))
  })
}

describe("Reports of messages", () => {
  contract("MemoryStore", Layer.fresh(MemoryStore.layer))
  contract("PgStore", PgStore.layer().pipe(Layer.provide(pgTest({ client: { maxConnections: 20 } }))))
})
