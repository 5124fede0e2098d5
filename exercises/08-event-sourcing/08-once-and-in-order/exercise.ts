/**
 * 08.8 Once, and in order (stretch)
 *
 * The outbox of 08.6 was ours. This one is the library's: `Outbox` has the table, the worker, leases and attempts, and many
 * shows at once. It was put in on a Monday. On Tuesday the hall had seats that nobody has bought. On Wednesday a row was given
 * back before it was taken, on Thursday a lost answer counted a seat twice, and on Friday a message that the hall did not want
 * was gone. The worker did what it was told; nobody had told it what belongs together, what has an order, and what a failure is.
 *
 * `hall.ts` has what is asked, the desks of the hall, and `patience`.
 *
 * Do
 * 1. `reserve(request)`: stores a `Reserved` event behind version `seen`, and has the hall told of it, under `topic`, with the
 *    request as payload. Both or neither, whatever fails. A conflict, which `append` answers as a value, fails with `Conflict`.
 * 2. The messages of a show arrive in order, one after the other. Other shows do not wait for them.
 * 3. `receive(desk, message)`, at the hall: the desk handles a message once, however often it comes, and also when it comes twice
 *    at the same moment. Each desk has to hear of it. When handling fails, nothing of it stays, so that it can come again.
 * 4. `relay(deliver)`: the worker, with `patience`. What cannot be delivered so often is put aside, and the later messages of
 *    its show wait. `again(show)` is for whoever has mended the cause: it has what was put aside for this show delivered now, and
 *    answers whether there was anything.
 *
 * Check: `npm run learn`.
 * Try: `npx tsx workspace/08-event-sourcing/08-once-and-in-order/exercise.ts`.
 */
import { Effect, Fiber } from "effect"
import { EventStore, type Inbox, MemoryStore, Outbox, StateStore, UnitOfWork } from "effect-lifecycle/store"
import { Conflict, counted, counting, type Deliver, type Desk, Full, patience, type Request, topic } from "./hall.ts"

type StoreFailed =
  | Effect.Error<ReturnType<EventStore.EventStore["Service"]["append"]>>
  | Effect.Error<ReturnType<Outbox.Outbox["Service"]["enqueue"]>>

/** Reserves, and answers with the version of the show afterwards. */
export const reserve = (
  request: Request
): Effect.Effect<
  number,
  Conflict | StoreFailed,
  EventStore.EventStore | Outbox.Outbox | UnitOfWork.UnitOfWork
> =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const outbox = yield* Outbox.Outbox
    const unit = yield* UnitOfWork.UnitOfWork
    yield* outbox.enqueue({ topic, payload: request })
    const result = yield* unit.run(store.append({
      stream: { category: "Show", id: request.show },
      expect: request.seen,
      events: [{ type: "Reserved", data: request }]
    }))
    if (result._tag === "Conflict") return yield* new Conflict({ expected: request.seen, actual: result.actual })
    return result.version
  })

/** Delivers what waits in the outbox, until it is interrupted. */
export const relay = (deliver: Deliver): Effect.Effect<never, never, Outbox.Outbox> =>
  Effect.orDie(Outbox.Outbox.use((outbox) =>
    // One message that fails must not stop the others.
    outbox.run({ ...patience, topics: [topic], publish: (message) => Effect.ignore(deliver(message)) })
  ))

/** What a desk of the hall does with a message. */
export const receive = (
  desk: Desk,
  message: Outbox.Message
): Effect.Effect<
  void,
  Full | UnitOfWork.StoreUnavailable | Inbox.InvalidReceived,
  Inbox.Inbox | StateStore.StateStore
> => desk.handle(message.payload as Request)

/** Has what was put aside for a show delivered, and answers whether there was anything. */
export const again = (_show: string): Effect.Effect<boolean, UnitOfWork.StoreUnavailable, Outbox.Outbox> =>
  Effect.succeed(false)

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const seats = counting("seats")
    const context = yield* Effect.context<Inbox.Inbox | StateStore.StateStore>()
    const deliver: Deliver = (message) =>
      Effect.gen(function*() {
        console.log("delivered", message.payload)
        // It comes twice, as after a lost answer.
        for (const _ of [1, 2]) yield* receive(seats, message)
      }).pipe(
        Effect.provide(context),
        Effect.catchIf((error) => !(error instanceof Full), Effect.die)
      )
    const running = yield* Effect.forkChild(relay(deliver))
    for (const show of ["hamlet", "macbeth"]) yield* reserve({ show, customer: "ada", seats: 2, seen: 0 })
    yield* Effect.sleep("200 millis")
    yield* Fiber.interrupt(running)
    const { rows } = yield* StateStore.StateStore.use((states) => states.query(counted("seats")))
    console.log("counted", rows.map(({ id, state }) => `${id}: ${state.seats}, of 2`))
  })
  await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
}
