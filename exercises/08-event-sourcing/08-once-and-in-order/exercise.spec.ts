import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { EventStore, type Inbox, MemoryStore, Outbox, StateStore, UnitOfWork } from "effect-lifecycle/store"
import { TestClock } from "effect/testing"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { again, receive, relay, reserve } from "./exercise.ts"
import {
  Conflict,
  counted,
  counting,
  type Deliver,
  type Desk,
  Full,
  NoAnswer,
  patience,
  type Request,
  topic
} from "./hall.ts"

const asked = (show: string, seen: number, seats = 1): Request => ({ show, customer: `customer ${seen}`, seats, seen })
const short = ({ seen, show }: Request): string => `${show} ${seen + 1}`
const requestOf = (message: Outbox.Message): Request => message.payload as Request

/** Lets time pass in steps, so that whoever waits for a moment wakes in it. */
const pass = (seconds: number) => Effect.replicateEffect(TestClock.adjust("100 millis"), seconds * 10)

/** A way to the hall that writes down what goes over it; `how` may take its time, or refuse. */
const way = (how: (message: Outbox.Message, attempt: number) => Effect.Effect<void, Full | NoAnswer>) => {
  const begun: Array<string> = []
  const arrived: Array<string> = []
  const deliver: Deliver = (message) =>
    Effect.suspend(() => {
      const name = short(requestOf(message))
      begun.push(name)
      const attempt = begun.filter((one) => one === name).length
      return Effect.tap(how(message, attempt), () => Effect.sync(() => void arrived.push(name)))
    })
  return { arrived, begun, deliver }
}

/** Runs the worker beside something else, and stops it, which takes until its last delivery has ended. */
const beside = <A, E, R>(deliver: Deliver, use: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const running = yield* Effect.forkChild(relay(deliver), { startImmediately: true })
    const stop = Effect.gen(function*() {
      const stopping = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
      yield* pass(11)
      yield* Fiber.join(stopping)
    })
    return yield* use.pipe(
      Effect.tap(() =>
        Effect.sync(() =>
          check(running.pollUnsafe() === undefined, "The worker runs until it is interrupted, whatever happens.")
        )
      ),
      Effect.ensuring(stop)
    )
  })

/** What is stored, as `show version`. */
const stored = Effect.gen(function*() {
  const store = yield* EventStore.EventStore
  const events = yield* Stream.runCollect(store.readAll())
  return events.map(({ stream, version }) => `${stream.id} ${version}`)
})

const seatsAt = (desk: string, show: string) =>
  StateStore.StateStore.use((states) => states.get(counted(desk), show)).pipe(
    Effect.map((row) => Option.match(row, { onNone: () => 0, onSome: ({ state }) => state.seats }))
  )

const mustReserve = (request: Request) =>
  Effect.map(
    Effect.exit(reserve(request)),
    (exit) => expectSuccess(exit, `${short(request)}: nobody was faster, so the seat can be reserved.`)
  )

/** An outbox that is away once, before it has written anything. */
const awayOnce = Layer.effect(
  Outbox.Outbox,
  Effect.map(Outbox.Outbox, (outbox): Outbox.Outbox["Service"] => {
    let away = true
    const first = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | UnitOfWork.StoreUnavailable> => {
        if (!away) return effect
        away = false
        return Effect.fail(new UnitOfWork.StoreUnavailable({ operation: "enqueue", reason: "it restarts" }))
      })
    return {
      ...outbox,
      enqueue: (message) => first(outbox.enqueue(message)),
      enqueueAll: (messages) => first(outbox.enqueueAll(messages))
    }
  })
).pipe(Layer.provideMerge(MemoryStore.layer))

describe("a: a seat is reserved, and the hall counts it", () => {
  it.effect("two seats", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<Inbox.Inbox | StateStore.StateStore>()
      const { deliver } = way((message) => Effect.orDie(Effect.provide(receive(counting("seats"), message), context)))
      yield* beside(
        deliver,
        Effect.gen(function*() {
          const version = yield* mustReserve(asked("hamlet", 0, 2))
          assert.strictEqual(version, 1, "The answer is the version of the show afterwards.")
          yield* pass(1)
        })
      )
      assert.deepEqual(yield* stored, ["hamlet 1"], "What is reserved is stored.")
      assert.strictEqual(yield* seatsAt("seats", "hamlet"), 2, "What is received is counted.")
    }).pipe(Effect.provide(MemoryStore.layer)))
})

describe("b: there is a message exactly where there is an event", () => {
  const agrees = (arrived: ReadonlyArray<string>, sentence: string) =>
    Effect.map(stored, (events) => assert.deepEqual([...arrived].sort(), [...events].sort(), sentence))

  it.effect("what is stored is told", () => {
    const { arrived, deliver } = way(() => Effect.void)
    return beside(
      deliver,
      Effect.gen(function*() {
        for (const seen of [0, 1, 2]) {
          yield* mustReserve(asked("hamlet", seen))
          yield* mustReserve(asked("macbeth", seen))
        }
        yield* pass(2)
        yield* agrees(arrived, "The hall is told of each event, and once where nothing goes wrong.")
        check(arrived.length === 6, `Six reservations are six events. Seen: ${arrived.length}.`)
      })
    ).pipe(Effect.provide(MemoryStore.layer))
  })

  it.effect("a conflict is told to nobody", () => {
    const { arrived, deliver } = way(() => Effect.void)
    return beside(
      deliver,
      Effect.gen(function*() {
        yield* mustReserve(asked("hamlet", 0))
        const error = expectFailure(
          yield* Effect.exit(reserve({ ...asked("hamlet", 0), seats: 3 })),
          "Somebody was faster, which is a Conflict."
        )
        assert.instanceOf(error, Conflict, "Somebody was faster, which is a Conflict.")
        assert.deepInclude(error, { expected: 0, actual: 1 }, "A Conflict says what was expected, and what there is.")
        yield* pass(2)
        assert.deepEqual(arrived, ["hamlet 1"], "Where nothing was stored, the hall must not hear of anything.")
      })
    ).pipe(Effect.provide(MemoryStore.layer))
  })

  it.effect("the outbox is away", () => {
    const { arrived, deliver } = way(() => Effect.void)
    return beside(
      deliver,
      Effect.gen(function*() {
        yield* Effect.exit(reserve(asked("hamlet", 0)))
        yield* pass(5)
        yield* agrees(arrived, "The message cannot be written: either the event is not kept, or the hall hears of it.")
      })
    ).pipe(Effect.provide(awayOnce))
  })

  it.effect("the transaction of somebody else is rolled back", () => {
    const { arrived, deliver } = way(() => Effect.void)
    return beside(
      deliver,
      Effect.gen(function*() {
        const unit = yield* UnitOfWork.UnitOfWork
        yield* Effect.exit(unit.run(Effect.andThen(reserve(asked("hamlet", 0)), Effect.fail("the card was declined"))))
        yield* pass(2)
        assert.deepEqual(arrived, [], "The transaction around it was rolled back, so the hall must not hear of it.")
        yield* mustReserve(asked("hamlet", 0))
        yield* pass(2)
        yield* agrees(arrived, "The next one is stored, and told.")
      })
    ).pipe(Effect.provide(MemoryStore.layer))
  })
})

/** A message that the worker would deliver. */
const message = (id: string, request: Request): Outbox.Message => ({
  id,
  topic,
  key: request.show,
  tenant: "",
  payload: request,
  headers: {},
  sequence: BigInt(request.seen + 1),
  at: new Date(0),
  attempt: 1,
  token: 1n
})

describe("c: each desk handles a message once", () => {
  const seats = counting("seats")
  const programmes = counting("programmes")
  /** Receives, while time passes. */
  const received = (...deliveries: ReadonlyArray<readonly [desk: Desk, id: string, request: Request]>) =>
    Effect.gen(function*() {
      const all = Effect.forEach(
        deliveries,
        ([desk, id, request]) => Effect.exit(receive(desk, message(id, request))),
        { concurrency: "unbounded" }
      )
      const fiber = yield* Effect.forkChild(all, { startImmediately: true })
      yield* pass(1)
      return yield* Fiber.join(fiber)
    })
  const handled = (exits: ReadonlyArray<Exit.Exit<unknown, unknown>>, sentence: string) =>
    exits.forEach((exit) => expectSuccess(exit, sentence))

  it.effect("it comes again", () =>
    Effect.gen(function*() {
      const sentence = "A message that was handled already is no failure: the sender would send it for ever."
      handled(yield* received([seats, "m-1", asked("hamlet", 0, 2)]), sentence)
      handled(yield* received([seats, "m-1", asked("hamlet", 0, 2)]), sentence)
      handled(yield* received([seats, "m-1", asked("hamlet", 0, 2)]), sentence)
      assert.strictEqual(yield* seatsAt("seats", "hamlet"), 2, "It came three times, and counts once.")
      yield* received([seats, "m-2", asked("hamlet", 1, 3)])
      assert.strictEqual(yield* seatsAt("seats", "hamlet"), 5, "Another message of the same show is another message.")
      yield* received([seats, "m-3", asked("hamlet", 1, 3)])
      assert.strictEqual(yield* seatsAt("seats", "hamlet"), 8, "Two messages that say the same are two messages.")
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("it comes twice at the same moment", () =>
    Effect.gen(function*() {
      const twice = [seats, "m-1", asked("hamlet", 0, 2)] as const
      handled(yield* received(twice, twice, twice), "It was handled: there is nothing left to fail.")
      assert.strictEqual(yield* seatsAt("seats", "hamlet"), 2, "Three at the same moment are one message.")
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("two desks have to hear of it", () =>
    Effect.gen(function*() {
      const request = asked("hamlet", 0, 2)
      yield* received([seats, "m-1", request])
      yield* received([programmes, "m-1", request], [seats, "m-1", request])
      yield* received([programmes, "m-1", request])
      assert.deepEqual(
        [yield* seatsAt("seats", "hamlet"), yield* seatsAt("programmes", "hamlet")],
        [2, 2],
        "What one desk has handled is still new to the other one."
      )
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("handling fails behind the half of it", () =>
    Effect.gen(function*() {
      let open = false
      const desk: Desk = {
        name: "seats",
        handle: (request) =>
          Effect.andThen(
            seats.handle(request),
            Effect.suspend(() => open ? Effect.void : Effect.fail(new Full({ show: request.show })))
          )
      }
      const [exit] = yield* received([desk, "m-1", asked("hamlet", 0, 2)])
      check(exit !== undefined && Exit.isFailure(exit), "The desk has failed, and the sender has to know.")
      assert.strictEqual(yield* seatsAt("seats", "hamlet"), 0, "Handling has failed, so nothing of it stays.")
      open = true
      handled(yield* received([desk, "m-1", asked("hamlet", 0, 2)]), "It failed before, so it can be handled now.")
      assert.strictEqual(yield* seatsAt("seats", "hamlet"), 2, "What has failed comes again, and counts then.")
    }).pipe(Effect.provide(MemoryStore.layer)))
})

const of = (show: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.filter((name) => name.startsWith(`${show} `))

describe("d: the messages of a show arrive in order, and no other show waits", () => {
  it.effect("the first one is slow", () => {
    const { arrived, begun, deliver } = way((message) =>
      short(requestOf(message)) === "hamlet 1" ? Effect.sleep("3 seconds") : Effect.void
    )
    return beside(
      deliver,
      Effect.gen(function*() {
        for (const seen of [0, 1, 2]) yield* mustReserve(asked("hamlet", seen))
        for (const seen of [0, 1]) yield* mustReserve(asked("macbeth", seen))
        yield* pass(2)
        assert.deepEqual(of("hamlet", begun), ["hamlet 1"], "While the first is on its way, the second one waits.")
        assert.deepEqual(of("macbeth", arrived), ["macbeth 1", "macbeth 2"], "Macbeth does not wait for Hamlet.")
        yield* pass(3)
        assert.deepEqual(
          of("hamlet", arrived),
          ["hamlet 1", "hamlet 2", "hamlet 3"],
          "They arrive in the order in which they were stored."
        )
      })
    ).pipe(Effect.provide(MemoryStore.layer))
  })

  it.effect("the first one is lost once", () => {
    const { arrived, begun, deliver } = way((message, attempt) =>
      short(requestOf(message)) === "hamlet 1" && attempt === 1 ? Effect.fail(new NoAnswer()) : Effect.void
    )
    return beside(
      deliver,
      Effect.gen(function*() {
        for (const seen of [0, 1]) yield* mustReserve(asked("hamlet", seen))
        yield* mustReserve(asked("macbeth", 0))
        yield* pass(4)
        assert.deepEqual(
          of("hamlet", begun),
          ["hamlet 1", "hamlet 1", "hamlet 2"],
          "The first one comes again, and the second one behind it."
        )
        assert.deepEqual(of("macbeth", arrived), ["macbeth 1"], "Macbeth has nothing to do with it.")
      })
    ).pipe(Effect.provide(MemoryStore.layer))
  })
})

describe("e: what cannot be delivered is put aside, and not lost", () => {
  it.effect("until somebody mends it", () => {
    let open = false
    const { arrived, begun, deliver } = way((message) =>
      Effect.suspend(() =>
        !open && ["hamlet 1", "othello 1"].includes(short(requestOf(message)))
          ? Effect.fail(new Full({ show: requestOf(message).show }))
          : Effect.void
      )
    )
    return beside(
      deliver,
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        for (const show of ["othello", "hamlet", "macbeth"]) {
          for (const seen of [0, 1]) yield* mustReserve(asked(show, seen))
        }
        yield* pass(20)
        assert.strictEqual(
          begun.filter((name) => name === "hamlet 1").length,
          patience.attempts,
          `It is tried ${patience.attempts} times, as \`patience\` says, and then put aside.`
        )
        const { dead, pausedKeys } = yield* outbox.status()
        assert.deepEqual({ dead, pausedKeys }, { dead: 2, pausedKeys: 2 }, "Two are put aside, and their shows wait.")
        assert.deepEqual(arrived, ["macbeth 1", "macbeth 2"], "Macbeth goes on.")
        open = true
        yield* pass(5)
        check(arrived.length === 2, "It is mended, but nobody has said so yet: what is put aside stays there.")

        const nothing = expectSuccess(yield* Effect.exit(again("macbeth")), "One can always ask.")
        yield* pass(2)
        check(!nothing, "Nothing of Macbeth was put aside, so the answer is false.")
        check(arrived.length === 2, "Whoever has mended Macbeth has said nothing of Hamlet and Othello.")

        const something = expectSuccess(yield* Effect.exit(again("hamlet")), "There is one of Hamlet.")
        yield* pass(2)
        assert.deepEqual(of("hamlet", arrived), ["hamlet 1", "hamlet 2"], "It comes now, and the later one behind it.")
        check(something, "There was one of Hamlet, so the answer is true.")
        assert.deepEqual(of("othello", arrived), [], "Whoever has mended Hamlet has said nothing of Othello.")
      })
    ).pipe(Effect.provide(MemoryStore.layer))
  })
})
