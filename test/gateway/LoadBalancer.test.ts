import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { LoadBalancer } from "effect-lifecycle/gateway"
import { type Recorder, Recorder as Recorders } from "effect-lifecycle/lifecycle"
import { TestClock } from "effect/testing"

const targets = [{ id: "a" }, { id: "b" }, { id: "c" }]
const make = (options: Partial<LoadBalancer.Options<LoadBalancer.Target>> = {}) =>
  LoadBalancer.make<LoadBalancer.Target>({ name: "users", targets, ...options })
const idOf = (target: LoadBalancer.Target) => Effect.succeed(target.id)
const take = (balancer: LoadBalancer.LoadBalancer<LoadBalancer.Target>, count: number) =>
  Effect.forEach(Array.from({ length: count }), () => Effect.scoped(balancer.use(idOf)))
const counted = (ids: ReadonlyArray<string>) =>
  Object.fromEntries(targets.map(({ id }) => [id, ids.filter((other) => other === id).length]))
const states = (balancer: LoadBalancer.LoadBalancer<LoadBalancer.Target>) =>
  Effect.map(balancer.snapshot, (all) => Object.fromEntries(all.map((state) => [state.id, state.available])))

describe("LoadBalancer", () => {
  describe("round robin", () => {
    it.effect("takes the targets in turn", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* take(yield* make(), 6), ["a", "b", "c", "a", "b", "c"])
      }))

    it.effect("spreads the turns of a heavy target instead of bunching them", () =>
      Effect.gen(function*() {
        const balancer = yield* make({ targets: [{ id: "a", weight: 5 }, { id: "b" }, { id: "c" }] })
        assert.deepStrictEqual(yield* take(balancer, 7), ["a", "a", "b", "a", "c", "a", "a"])
      }))

    it.effect.prop(
      "gives each target exactly its share, whatever the weights",
      [Arbitrary.schema(
        Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))).check(
          Schema.isBetweenLength(1, 6)
        )
      )],
      ([weights]) =>
        Effect.gen(function*() {
          const weighted = weights.map((weight, index) => ({ id: String(index), weight }))
          const balancer = yield* make({ targets: weighted })
          const total = weights.reduce((sum, weight) => sum + weight, 0)
          const ids = yield* take(balancer, total * 2)
          weighted.forEach(({ id, weight }) => {
            assert.strictEqual(ids.filter((other) => other === id).length, weight * 2)
          })
        })
    )
  })

  it.effect("takes the target with the least under way, counted until the scope of the call closes", () =>
    Effect.gen(function*() {
      const balancer = yield* make({ policy: "least-in-flight" })
      const scopes = [yield* Scope.make(), yield* Scope.make(), yield* Scope.make()]
      const held: Array<string> = []
      for (const scope of scopes) held.push(yield* Scope.provide(balancer.use(idOf), scope))
      assert.deepStrictEqual(held.toSorted(), ["a", "b", "c"])
      const [, second] = scopes
      if (second !== undefined) yield* Scope.close(second, Exit.void)
      assert.strictEqual(yield* balancer.use(idOf), held[1])
      assert.deepStrictEqual((yield* balancer.snapshot).map((state) => state.inFlight), [1, 1, 1])
    }))

  it.effect("gives the place back when the call fails, dies or is interrupted", () =>
    Effect.gen(function*() {
      const balancer = yield* make()
      yield* Effect.exit(Effect.scoped(balancer.use(() => Effect.fail("no"))))
      yield* Effect.exit(Effect.scoped(balancer.use(() => Effect.die("no"))))
      const fiber = yield* Effect.forkChild(Effect.scoped(balancer.use(() => Effect.never)), { startImmediately: true })
      assert.deepStrictEqual((yield* balancer.snapshot).map((state) => state.inFlight), [0, 0, 1])
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual((yield* balancer.snapshot).map((state) => state.inFlight), [0, 0, 0])
    }))

  it.effect("takes the preferred target while it is available, avoids others while there is a choice, and never takes an excluded one", () =>
    Effect.gen(function*() {
      const balancer = yield* make({ ejection: { failures: 1 } })
      for (let n = 0; n < 3; n++) assert.strictEqual(yield* balancer.use(idOf, { preferred: "b" }), "b")
      assert.notStrictEqual(yield* balancer.use(idOf, { preferred: "nobody" }), undefined)
      assert.strictEqual(yield* balancer.use(idOf, { avoid: new Set(["a", "b"]) }), "c")
      assert.isString(yield* balancer.use(idOf, { avoid: new Set(["a", "b", "c"]) }))
      assert.strictEqual(yield* balancer.use(idOf, { avoid: new Set(["c"]), exclude: new Set(["a", "b"]) }), "c")
      assert.strictEqual(yield* balancer.use(idOf, { exclude: new Set(["a", "b"]), preferred: "a" }), "c")
      const none = yield* Effect.flip(balancer.use(idOf, { exclude: new Set(["a", "b", "c"]) }))
      assert.strictEqual(none._tag, "NoHealthyUpstream")
      yield* Effect.exit(balancer.use(() => Effect.fail("down"), { preferred: "b" }))
      assert.notStrictEqual(yield* balancer.use(idOf, { preferred: "b" }), "b")
    }))

  it.effect("knows whether a call would find a target", () =>
    Effect.gen(function*() {
      const balancer = yield* make({ ejection: { failures: 1 } })
      const finds = (...exclude: ReadonlyArray<string>) =>
        Effect.withFiber((fiber) => Effect.succeed(balancer.findsUnsafe(fiber, new Set(exclude))))
      assert.isTrue(yield* finds())
      assert.isTrue(yield* finds("a", "b"))
      assert.isFalse(yield* finds("a", "b", "c"))
      yield* Effect.exit(balancer.use(() => Effect.fail("down"), { preferred: "c" }))
      assert.isFalse(yield* finds("a", "b"))
    }))

  describe("passive ejection", () => {
    const fail = (balancer: LoadBalancer.LoadBalancer<LoadBalancer.Target>, id: string) =>
      Effect.exit(Effect.scoped(balancer.use(() => Effect.fail("down"), { preferred: id })))

    it.effect("leaves a target out after failures in a row, for as long as it says", () =>
      Effect.gen(function*() {
        const balancer = yield* make({ ejection: { failures: 2, duration: "10 seconds" } })
        yield* fail(balancer, "a")
        yield* balancer.use(idOf, { preferred: "a" })
        yield* fail(balancer, "a")
        assert.deepStrictEqual(yield* states(balancer), { a: true, b: true, c: true })
        yield* fail(balancer, "a")
        assert.deepStrictEqual(yield* states(balancer), { a: false, b: true, c: true })
        assert.deepStrictEqual(counted(yield* take(balancer, 8)), { a: 0, b: 4, c: 4 })
        yield* TestClock.adjust("9999 millis")
        assert.deepStrictEqual(yield* states(balancer), { a: false, b: true, c: true })
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(counted(yield* take(balancer, 6)), { a: 2, b: 2, c: 2 })
      }))

    it.effect("sends one call as the probe, and the rest elsewhere until it has ended", () =>
      Effect.gen(function*() {
        const balancer = yield* make({ ejection: { failures: 1, duration: "1 second" } })
        yield* fail(balancer, "a")
        yield* TestClock.adjust("1 second")
        const probe = yield* Effect.forkChild(
          Effect.scoped(balancer.use(() => Effect.never, { preferred: "a" })),
          { startImmediately: true }
        )
        assert.deepStrictEqual(counted(yield* take(balancer, 4)), { a: 0, b: 2, c: 2 })
        yield* Fiber.interrupt(probe)
        assert.deepStrictEqual(yield* states(balancer), { a: true, b: true, c: true })
      }))

    it.effect("fails with NoHealthyUpstream when all are out, and says when to come again", () =>
      Effect.gen(function*() {
        const balancer = yield* make({ ejection: { failures: 1, duration: "10 seconds" } })
        for (const { id } of targets) yield* fail(balancer, id)
        yield* TestClock.adjust("4 seconds")
        const error = yield* Effect.flip(Effect.scoped(balancer.use(idOf)))
        assert.deepInclude(error, { _tag: "NoHealthyUpstream", balancer: "users", targets: 3, retryAfterMillis: 6000 })
      }))

    it.effect("believes what classify says", () =>
      Effect.gen(function*() {
        const balancer = yield* make({ ejection: { failures: 1 } })
        yield* Effect.exit(
          balancer.use(() => Effect.fail("the client's fault"), { preferred: "a", classify: () => "neutral" })
        )
        assert.deepStrictEqual(yield* states(balancer), { a: true, b: true, c: true })
        yield* balancer.use(() => Effect.succeed(502), { preferred: "a", classify: () => "failure" })
        assert.deepStrictEqual(yield* states(balancer), { a: false, b: true, c: true })
      }))
  })

  describe("active checks", () => {
    const checked = (up: Record<string, boolean>, log: Array<string> = []) =>
      make({
        health: {
          check: ({ id }) =>
            Effect.suspend(() => {
              log.push(id)
              return up[id] === true ? Effect.void : Effect.fail("down")
            }),
          interval: "5 seconds",
          healthyAfter: 2,
          unhealthyAfter: 3
        }
      })

    it.effect("decide alone the first time, then only several in a row", () =>
      Effect.gen(function*() {
        const up: Record<string, boolean> = { a: true, b: false, c: true }
        const balancer = yield* checked(up)
        assert.deepStrictEqual(yield* states(balancer), { a: true, b: false, c: true })
        up["a"] = false
        up["b"] = true
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* states(balancer), { a: true, b: false, c: true })
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* states(balancer), { a: true, b: true, c: true })
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* states(balancer), { a: false, b: true, c: true })
        assert.deepStrictEqual(counted(yield* take(balancer, 4)), { a: 0, b: 2, c: 2 })
      }))

    it.effect("forget a streak that another result breaks", () =>
      Effect.gen(function*() {
        const up: Record<string, boolean> = { a: true, b: true, c: true }
        const balancer = yield* checked(up)
        for (let n = 0; n < 4; n++) {
          up["a"] = false
          yield* TestClock.adjust("10 seconds")
          up["a"] = true
          yield* TestClock.adjust("5 seconds")
        }
        assert.deepStrictEqual(yield* states(balancer), { a: true, b: true, c: true })
      }))

    it.effect("that hang have failed after their time", () =>
      Effect.gen(function*() {
        const balancer = yield* make({
          health: { check: ({ id }) => id === "a" ? Effect.never : Effect.void, timeout: "2 seconds" }
        })
        yield* TestClock.adjust("1999 millis")
        assert.deepStrictEqual(yield* states(balancer), { a: true, b: true, c: true })
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* states(balancer), { a: false, b: true, c: true })
      }))

    it.effect("end with the scope", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        yield* Effect.scoped(checked({ a: true, b: true, c: true }, log))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(log, ["a", "b", "c"])
      }))
  })

  it.effect("sends nothing to a target that is isolated by hand", () =>
    Effect.gen(function*() {
      const balancer = yield* make()
      yield* Effect.scoped(
        Effect.gen(function*() {
          yield* balancer.isolate("a")
          assert.deepStrictEqual(counted(yield* take(balancer, 4)), { a: 0, b: 2, c: 2 })
        })
      )
      assert.deepStrictEqual(yield* states(balancer), { a: true, b: true, c: true })
    }))

  it.effect("reports its choice as the stage Balancer, and each move of a circuit with the target as key", () =>
    Effect.gen(function*() {
      const reports: Array<Recorder.Report> = []
      const balancer = yield* make({ ejection: { failures: 1 } })
      yield* Effect.exit(Effect.scoped(balancer.use(() => Effect.fail("down")))).pipe(
        Recorders.recordTo((report) => void reports.push(report))
      )
      assert.deepInclude(reports.flatMap((report) => report._tag === "StagesTimed" ? report.stages : [])[0], {
        stage: "Balancer",
        name: "gateway/LoadBalancer"
      })
      assert.deepInclude(reports.find((report) => report._tag === "CircuitMoved"), {
        name: "users",
        key: "a",
        from: "Closed",
        to: "Open"
      })
    }))

  it("refuses targets that are none, or the same twice", () => {
    assert.throws(() => make({ targets: [] }), /targets\.length/)
    assert.throws(() => make({ targets: [{ id: "a" }, { id: "a" }] }), /distinct targets/)
    assert.throws(() => make({ targets: [{ id: "a", weight: 0 }] }), /weight/)
  })

  it("refuses to check without a pause", () => {
    assert.throws(() => make({ health: { check: () => Effect.void, interval: 0 } }), /health\.interval.*10ms/)
  })
})
