import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema } from "effect"
import { RpcGroup, RpcTest } from "effect/rpc"
import { ChainOfResponsibility, Command, Domain, Mediator } from "effect-lifecycle/domain"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { StateStore } from "effect-lifecycle/store"
import { logging } from "./support/meetings.ts"
import { memory } from "./support/store.ts"

class Declined extends Schema.TaggedError<Declined>()("Declined", { by: Schema.String }) {}

const Pay = Command.make("payments.Pay", {
  payload: { method: Schema.String },
  success: Schema.String,
  error: Schema.Union([Declined, ChainOfResponsibility.NotHandled]),
  commandId: ({ method }) => `pay-${method}`
})
const pay = (method: string) => Mediator.send(Pay, { method })

/** A link that takes its own method, and notes that it was asked. */
const links = () => {
  const { log, note } = logging()
  const link = (name: string, end: Effect.Effect<string, Declined> = Effect.succeed(`paid by ${name}`)) =>
    ChainOfResponsibility.link(Pay, {
      name,
      handle: Effect.fnUntraced(function*({ method }) {
        yield* note(name)
        return method === name ? yield* end : yield* ChainOfResponsibility.pass
      })
    })
  return { link, log }
}

const defectOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(self), (exit) => String(Exit.isFailure(exit) && Cause.squash(exit.cause)))

describe("ChainOfResponsibility", () => {
  it.effect("asks the links in their order until one answers, and fails typed at the end", () => {
    const { link, log } = links()
    const layer = Domain.toLayer([ChainOfResponsibility.make(Pay, [link("card"), link("transfer"), link("cash")])])
    return Effect.gen(function*() {
      assert.strictEqual(yield* pay("card"), "paid by card")
      assert.deepStrictEqual(log.splice(0), ["card"])
      assert.strictEqual(yield* pay("cash"), "paid by cash")
      assert.deepStrictEqual(log.splice(0), ["card", "transfer", "cash"])
      const error = yield* Effect.flip(pay("shells"))
      assert.strictEqual(
        error.message,
        "No link of the chain \"payments.Pay\" handles this request (card, transfer, cash). Add a link for it, or \"otherwise\""
      )
      const client = yield* RpcTest.makeClient(RpcGroup.make(Pay), { flatten: true })
      assert.deepStrictEqual(yield* Effect.flip(client("payments.Pay", { method: "shells" })), error)
    }).pipe(Effect.provide(layer))
  })

  it.effect("answers with `otherwise` where every link has passed", () => {
    const { link } = links()
    const layer = Domain.toLayer([
      ChainOfResponsibility.make(Pay, [link("card")], {
        otherwise: ({ method }) => Effect.succeed(`no ${method} here`)
      })
    ])
    return Effect.gen(function*() {
      assert.strictEqual(yield* pay("shells"), "no shells here")
    }).pipe(Effect.provide(layer))
  })

  it.effect("ends with the failure of a link; later links are not asked", () => {
    const { link, log } = links()
    const declined = link("card", new Declined({ by: "card" }))
    const layer = Domain.toLayer([ChainOfResponsibility.make(Pay, [declined, link("transfer")])])
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.flip(pay("card")), new Declined({ by: "card" }))
      assert.deepStrictEqual(log, ["card"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("takes a fallback in any position: for a failure, not for passing on, and it may pass as well", () =>
    Effect.gen(function*() {
      for (const position of [0, 1, 2]) {
        const { link, log } = links()
        const guarded = ChainOfResponsibility.withFallback(link("broken", new Declined({ by: "broken" })), {
          fallback: link("passes")
        })
        const chain = [link("a"), link("b")].toSpliced(position, 0, guarded)
        const layer = Domain.toLayer([
          ChainOfResponsibility.make(
            Pay,
            [...chain, link("broken", Effect.succeed("saved"))].map((one, index) => ({
              ...one,
              name: `${index} ${one.name}`
            }))
          )
        ])
        assert.strictEqual(yield* Effect.provide(pay("broken"), layer), "saved")
        const expected = ["a", "b"].toSpliced(position, 0, "broken", "passes")
        assert.deepStrictEqual(log.splice(0), [...expected, "broken"])
        yield* Effect.exit(Effect.provide(pay("shells"), layer))
        assert.notInclude(log, "passes")
      }
    }))

  it.effect("never counts what later links do against the link before", () => {
    const { link, log } = links()
    return Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        name: "links",
        trip: CircuitBreaker.consecutive(1),
        breakDuration: "1 minute"
      })
      const guarded = ChainOfResponsibility.withFallback(link("card"), { fallback: link("later"), breaker })
      const layer = Domain.toLayer([
        ChainOfResponsibility.make(Pay, [guarded, link("cash", new Declined({ by: "cash" }))])
      ])
      assert.deepStrictEqual(yield* Effect.flip(Effect.provide(pay("cash"), layer)), new Declined({ by: "cash" }))
      assert.deepStrictEqual(log, ["card", "cash"])
      assert.strictEqual((yield* breaker.snapshot("card")).state, "Closed")
    })
  })

  it.effect("spares a link while its circuit is open, and refuses where no fallback is left", () => {
    const { link, log } = links()
    return Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        name: "links",
        trip: CircuitBreaker.consecutive(1),
        breakDuration: "1 minute"
      })
      const card = link("card", new Declined({ by: "card" }))
      const saved = ChainOfResponsibility.link(Pay, { name: "later", handle: () => Effect.succeed("later") })
      const guarded = Domain.toLayer([
        ChainOfResponsibility.make(Pay, [ChainOfResponsibility.withFallback(card, { fallback: saved, breaker })])
      ])
      assert.strictEqual(yield* Effect.provide(pay("card"), guarded), "later")
      assert.strictEqual(yield* Effect.provide(pay("card"), guarded), "later")
      assert.deepStrictEqual(log, ["card"])
      const alone = Domain.toLayer([
        ChainOfResponsibility.make(Pay, [
          ChainOfResponsibility.withFallback(card, { fallback: saved, breaker, on: { openCircuit: false } })
        ])
      ])
      assert.strictEqual((yield* Effect.flip(Effect.provide(pay("card"), alone)))._tag, "Refused")
    })
  })

  it.effect("can stand behind a fallback as a whole, and be one", () => {
    const { link } = links()
    const chain = (name: string, end: Effect.Effect<string, Declined>) =>
      ChainOfResponsibility.make(Pay, [link(name, end)])
    const layer = Domain.toLayer([
      Domain.withFallback(chain("card", new Declined({ by: "card" })), {
        fallback: chain("card", Effect.succeed("second chain")),
        on: ["Declined"]
      })
    ])
    return Effect.gen(function*() {
      assert.strictEqual(yield* pay("card"), "second chain")
      assert.strictEqual((yield* Effect.flip(pay("shells")))._tag, "NotHandled")
    }).pipe(Effect.provide(layer))
  })

  it.effect("gives its links the command id, the stores of the layer and a scope", () => {
    const { log, note } = logging()
    const link = ChainOfResponsibility.link(Pay, {
      name: "store",
      handle: (_, { commandId }) =>
        Effect.gen(function*() {
          yield* StateStore.StateStore
          yield* Effect.addFinalizer(() => note("closed"))
          yield* note(`${commandId}`)
          return "kept"
        })
    })
    const layer = Domain.toLayer([ChainOfResponsibility.make(Pay, [link])]).pipe(Layer.provide(memory))
    return Effect.gen(function*() {
      assert.strictEqual(yield* pay("card"), "kept")
      assert.deepStrictEqual(log, ["pay-card", "closed"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("does not build without links, with a name twice, or with a link of another definition", () =>
    Effect.gen(function*() {
      const { link } = links()
      const Other = Command.make("payments.Pay", { success: Schema.String, error: ChainOfResponsibility.NotHandled })
      const foreign = ChainOfResponsibility.link(Other, { name: "foreign", handle: () => ChainOfResponsibility.pass })
      const typed = foreign as never as ReturnType<typeof link>
      const build = (links: ReadonlyArray<ReturnType<typeof link>>) =>
        defectOf(Layer.build(Domain.toLayer([ChainOfResponsibility.make(Pay, links)])))
      assert.include(yield* build([]), "links must be one link at least, got none")
      assert.include(yield* build([link("card"), link("card")]), "got \"card\" twice")
      assert.include(yield* build([link("card"), typed]), "\"foreign\", a link of another definition")
      const guarded = ChainOfResponsibility.withFallback(link("card"), { fallback: typed })
      assert.include(yield* build([guarded]), "ChainOfResponsibility.withFallback: fallback must be")
    }))
})
