import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Stream } from "effect"
import { DynamicConsistencyBoundary, EventStore, MemoryStore } from "effect-lifecycle/store"
import { check, expectFailure, expectSuccess, time } from "../../support.ts"
import { Enough, type Request, SoldOut, tagOf } from "./evening.ts"
import { reserve } from "./exercise.ts"

const Boundary = DynamicConsistencyBoundary.DynamicConsistencyBoundary

interface Happened {
  readonly type: "Reserved" | "Cancelled"
  readonly show: string
  readonly customer: string
}

const ask = (customer: string, show: string, key = `${customer} ${show}`): Request => ({ customer, show, key })
const sold = (customer: string, show: string): Happened => ({ type: "Reserved", customer, show })
const back = (customer: string, show: string): Happened => ({ type: "Cancelled", customer, show })

const append = (service: typeof Boundary.Service, { customer, show, type }: Happened) =>
  service.append({ events: [{ type, data: { customer, show }, tags: [tagOf.show(show), tagOf.customer(customer)] }] })

/** The office, where others sell and take back. */
const happened = (...all: ReadonlyArray<Happened>) =>
  Boundary.use((service) => Effect.forEach(all, (one) => append(service, one), { discard: true }))

/** What was asked of the boundary. */
interface Watch {
  reads: number
  appends: number
  readonly events: Array<string>
}

/** A house in which somebody else may be faster: before the first append the first of the others, and so on. */
const house = <A, E, R>(
  test: (watch: Watch) => Effect.Effect<A, E, R>,
  others: ReadonlyArray<Happened | undefined> = []
) =>
  Effect.suspend(() => {
    const watch: Watch = { reads: 0, appends: 0, events: [] }
    const before = [...others]
    const watched = Layer.effect(
      Boundary,
      Effect.map(Boundary, (service): typeof Boundary.Service => ({
        read: (query) =>
          Effect.tap(service.read(query), ({ events }) =>
            Effect.sync(() => {
              watch.reads++
              watch.events.push(...events.map(({ data }) => (data as Happened).show))
            })),
        append: (one) =>
          Effect.gen(function*() {
            watch.appends++
            const faster = before.shift()
            if (faster !== undefined) yield* append(service, faster)
            return yield* service.append(one)
          })
      }))
    )
    return Effect.provide(test(watch), watched.pipe(Layer.provideMerge(MemoryStore.layer)))
  })

/** The seats that are taken, as `customer show`, in the order in which they were sold. */
const seats = Effect.gen(function*() {
  const store = yield* EventStore.EventStore
  const taken: Array<string> = []
  for (const { data, type } of yield* Stream.runCollect(store.readAll())) {
    const { customer, show } = data as Happened
    const seat = `${customer} ${show}`
    if (type === "Reserved") taken.push(seat)
    else taken.splice(taken.indexOf(seat), 1)
  }
  return taken
})

const reserving = (request: Request) =>
  Effect.map(
    time(reserve(request), { patience: "1 minute", sentence: "There is a seat or a reason, in the end." }),
    ({ exit }) => exit
  )

const mustReserve = (request: Request, sentence: string) =>
  Effect.map(reserving(request), (exit) => expectSuccess(exit, sentence))

const refused = (request: Request, error: typeof SoldOut | typeof Enough, sentence: string) =>
  Effect.map(reserving(request), (exit) => {
    const seen = expectFailure(exit, sentence)
    check(seen instanceof error, `${sentence} Seen: it failed with ${seen._tag}.`)
  })

describe("a: a seat can be had", () => {
  it.effect("of a show that nobody knows yet", () =>
    house(() =>
      Effect.gen(function*() {
        yield* mustReserve(ask("ada", "hamlet"), "Nobody has a seat yet.")
        assert.deepEqual(yield* seats, ["ada hamlet"], "One seat is sold.")
      })
    ))
})

describe("b: both rules hold, whatever shows the seats are in", () => {
  it.effect("three seats a show", () =>
    house(() =>
      Effect.gen(function*() {
        for (const customer of ["ada", "bob", "cleo"]) {
          yield* mustReserve(ask(customer, "hamlet"), `There is a seat for ${customer}: a show has three.`)
        }
        yield* refused(ask("dan", "hamlet"), SoldOut, "Three seats are taken, so it is SoldOut.")
        yield* mustReserve(ask("dan", "macbeth"), "Macbeth has seats of its own.")
        yield* happened(back("bob", "hamlet"))
        yield* mustReserve(ask("dan", "hamlet"), "Bob's seat was given back, so it is free again.")
        yield* refused(ask("eve", "hamlet"), SoldOut, "Three seats are taken again, so it is SoldOut.")
        assert.deepEqual(
          yield* seats,
          ["ada hamlet", "cleo hamlet", "dan macbeth", "dan hamlet"],
          "Four seats are taken."
        )
      })
    ))

  it.effect("two seats a customer", () =>
    house(() =>
      Effect.gen(function*() {
        for (const show of ["hamlet", "macbeth"]) {
          yield* mustReserve(ask("ada", show), `There is a seat of ${show}, and a customer may have two.`)
        }
        yield* refused(ask("ada", "othello"), Enough, "Ada has two seats, though in other shows, so it is Enough.")
        yield* refused(ask("ada", "hamlet", "another"), Enough, "Ada has two seats, so it is Enough.")
        yield* mustReserve(ask("bob", "othello"), "Bob has none yet.")
        yield* happened(back("ada", "macbeth"))
        yield* mustReserve(ask("ada", "othello"), "Ada has given one back, and may have another one.")
        assert.deepEqual(yield* seats, ["ada hamlet", "bob othello", "ada othello"], "Three seats are taken.")
      })
    ))

  it.effect("which was sold by others", () =>
    house(() =>
      Effect.gen(function*() {
        yield* happened(sold("ada", "hamlet"), sold("ada", "macbeth"), sold("bob", "hamlet"), sold("cleo", "hamlet"))
        yield* refused(ask("dan", "hamlet"), SoldOut, "The office has sold three seats of Hamlet, so it is SoldOut.")
        yield* refused(ask("ada", "lear"), Enough, "The office has sold two seats to Ada, so it is Enough.")
      })
    ))
})

describe("c: both rules hold when somebody was faster", () => {
  it.effect("the last seat of the show", () =>
    house(
      () =>
        Effect.gen(function*() {
          for (const one of ["bob", "cleo"]) yield* mustReserve(ask(one, "hamlet"), `There is a seat for ${one}.`)
          yield* refused(ask("dan", "hamlet"), SoldOut, "Ada was faster, and has the last seat: it is SoldOut.")
          assert.deepEqual(
            yield* seats,
            ["bob hamlet", "cleo hamlet", "ada hamlet"],
            "Hamlet has three seats, and not four."
          )
        }),
      [undefined, undefined, sold("ada", "hamlet")]
    ))

  it.effect("the customer's last seat, in another show", () =>
    house(
      () =>
        Effect.gen(function*() {
          yield* mustReserve(ask("ada", "macbeth"), "Ada has no seat yet.")
          yield* refused(
            ask("ada", "hamlet"),
            Enough,
            "Ada has a seat of Lear by now, and one of Macbeth: it is Enough."
          )
          assert.deepEqual(yield* seats, ["ada macbeth", "ada lear"], "Ada has two seats, and not three.")
        }),
      [undefined, sold("ada", "lear")]
    ))

  it.effect("twice overtaken, and still there is a seat", () =>
    house(
      (watch) =>
        Effect.gen(function*() {
          yield* mustReserve(ask("ada", "hamlet"), "Two others were faster, and a show has three seats.")
          assert.deepEqual(yield* seats, ["bob hamlet", "cleo hamlet", "ada hamlet"], "All three have one.")
          check(watch.reads >= 3, `Whoever was overtaken decides again on what there is. Seen: ${watch.reads} reads.`)
        }),
      [sold("bob", "hamlet"), sold("cleo", "hamlet")]
    ))

  it.effect("overtaken by somebody who gives a seat back", () =>
    house(
      () =>
        Effect.gen(function*() {
          yield* mustReserve(ask("ada", "hamlet"), "Bob has given his seat back meanwhile, which is no reason to fail.")
          assert.deepEqual(yield* seats, ["ada hamlet"], "Ada has a seat.")
        }),
      [sold("bob", "hamlet"), back("bob", "hamlet")]
    ))

  it.effect("everybody at the same moment", () =>
    house(() =>
      Effect.gen(function*() {
        const shows = ["hamlet", "macbeth", "othello", "lear"]
        const everybody = ["ada", "bob", "cleo", "dan", "eve"].flatMap((one) => shows.map((show) => ask(one, show)))
        const { exit } = yield* time(
          Effect.forEach(everybody, (request) => Effect.exit(reserve(request)), { concurrency: "unbounded" }),
          { patience: "1 minute", sentence: "All have an answer in the end." }
        )
        const wins = expectSuccess(exit, "All have an answer in the end.").filter(Exit.isSuccess).length
        const taken = yield* seats
        for (const show of shows) {
          const count = taken.filter((seat) => seat.endsWith(` ${show}`)).length
          check(count <= 3, `A show has three seats. Seen: ${count} of ${show}.`)
        }
        for (const customer of ["ada", "bob", "cleo", "dan", "eve"]) {
          const count = taken.filter((seat) => seat.startsWith(`${customer} `)).length
          check(count <= 2, `A customer may have two seats this evening. Seen: ${count} of ${customer}.`)
        }
        assert.strictEqual(taken.length, wins, "Everybody who was told so has a seat, and nobody else.")
      })
    ))
})

describe("d: those who share nothing do not disturb each other", () => {
  it.effect("others sell meanwhile", () =>
    house(
      (watch) =>
        Effect.gen(function*() {
          yield* mustReserve(ask("ada", "hamlet"), "Nobody else wants Hamlet.")
          assert.deepEqual(
            yield* seats,
            ["bob macbeth", "ada hamlet"],
            "Both are sold: Bob comes before the first append of the boundary."
          )
          check(
            watch.reads === 1 && watch.appends === 1,
            `Bob and Macbeth have nothing to do with it: it is decided once. Seen: ${watch.reads} reads.`
          )
        }),
      [sold("bob", "macbeth")]
    ))

  it.effect("others have sold a lot", () =>
    house((watch) =>
      Effect.gen(function*() {
        for (let n = 0; n < 30; n++) yield* happened(sold(`customer ${n}`, `show ${n}`))
        yield* happened(sold("ada", "macbeth"), sold("bob", "hamlet"))
        yield* mustReserve(ask("ada", "hamlet"), "There is a seat.")
        assert.deepEqual(
          watch.events.toSorted(),
          ["hamlet", "macbeth"],
          "Of 32 events the one of the show and the one of the customer are read, and no others."
        )
      })
    ))

  it.effect("and others can see it", () =>
    house(() =>
      Effect.gen(function*() {
        yield* mustReserve(ask("ada", "hamlet"), "There is a seat.")
        const found = (tags: ReadonlyArray<string>) =>
          Boundary.use((service) => Effect.map(service.read([{ tags }]), ({ events }) => events.length))
        assert.strictEqual(yield* found([tagOf.show("hamlet")]), 1, "Whoever decides on the show finds it by its tag.")
        assert.strictEqual(
          yield* found([tagOf.customer("ada")]),
          1,
          "Whoever decides on the customer finds it by hers."
        )
      })
    ))
})

describe("e: asked again, it is the same seat", () => {
  it.effect("also when it was the last one", () =>
    house(() =>
      Effect.gen(function*() {
        const sentence = "It is hers already, under this key: the answer is the same as before."
        yield* happened(sold("bob", "hamlet"), sold("cleo", "hamlet"), sold("ada", "macbeth"))
        yield* mustReserve(ask("ada", "hamlet", "k-1"), "There is one seat left, and Ada may have one more.")
        yield* mustReserve(ask("ada", "hamlet", "k-1"), sentence)
        yield* mustReserve(ask("ada", "hamlet", "k-1"), sentence)
        assert.strictEqual((yield* seats).length, 4, "Asked three times, one seat is sold.")
      })
    ))

  it.effect("while there are others", () =>
    house(() =>
      Effect.gen(function*() {
        yield* mustReserve(ask("ada", "hamlet", "k-1"), "There are seats.")
        yield* mustReserve(ask("ada", "hamlet", "k-1"), "It is hers already.")
        assert.deepEqual(yield* seats, ["ada hamlet"], "Asked twice under one key, one seat is sold.")
        yield* mustReserve(ask("ada", "hamlet", "k-2"), "Another key is another request.")
        assert.deepEqual(yield* seats, ["ada hamlet", "ada hamlet"], "Another key is another seat.")
      })
    ))

  it.effect("at the same moment", () =>
    house(() =>
      Effect.gen(function*() {
        const again = Effect.replicateEffect(Effect.exit(reserve(ask("ada", "hamlet", "k-1"))), 3, {
          concurrency: "unbounded"
        })
        const { exit } = yield* time(again, { patience: "1 minute", sentence: "There is an answer to each." })
        for (const one of expectSuccess(exit, "There is an answer to each.")) {
          expectSuccess(one, "Whichever came first, the seat is hers.")
        }
        assert.deepEqual(yield* seats, ["ada hamlet"], "Asked three times at once under one key, one seat is sold.")
      })
    ))
})
