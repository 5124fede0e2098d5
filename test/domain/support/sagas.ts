/** What the tests of sagas are made of. */
import { Clock, Deferred, Effect, Schedule, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { type EventStore, SagaStore, type StateStore, type UnitOfWork } from "effect-lifecycle/store"

export type Stores = EventStore.EventStore | SagaStore.SagaStore | StateStore.StateStore | UnitOfWork.UnitOfWork

export class Declined extends Schema.TaggedError<Declined>()("Declined", { why: Schema.String }) {}

let names = 0
/** A name nobody has used. */
export const fresh = (): string => `saga-${++names}`

export const quick = Schedule.spaced("1 millis")
export const twice = Schedule.upTo(quick, { times: 1 })

/** Works on sagas until the test ends. */
export const work = <const S extends ReadonlyArray<Saga.Any>>(sagas: S, options?: Saga.RunnerOptions) =>
  Effect.forkChild(Saga.runner(sagas, { drain: 0, ...options }), { startImmediately: true })

export const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => "not yet" as const),
    Effect.retry({ schedule: Schedule.spaced("5 millis"), while: (error) => error === "not yet" }),
    Effect.timeout("20 seconds")
  )

/** Three steps that note what they do; the last one fails when asked to. */
export const trip = (name = fresh(), log: Array<string> = []) => {
  const note = (what: string) => Effect.sync(() => void log.push(what))
  const saga = Saga.make({ name, input: Schema.Struct({ fail: Schema.Boolean }), error: Declined })
    .step("flight", {
      result: Schema.Struct({ seat: Schema.Int }),
      inDoubt: "repeat",
      run: ({ id }) => Effect.as(note(`flight ${id}`), { seat: 7 }),
      compensate: ({ id }, { seat }) => note(`undo flight ${id} seat ${seat}`)
    })
    .step("hotel", {
      inDoubt: "repeat",
      run: ({ results }) => note(`hotel for seat ${results.flight.seat}`),
      compensate: () => note("undo hotel")
    })
    .step("pay", {
      inDoubt: "repeat",
      run: ({ input }) => input.fail ? Effect.fail(new Declined({ why: "no money" })) : note("pay")
    })
  return { log, saga }
}

/**
 * Sagas with a worker whose process dies at its n-th write, before or after it: it writes nothing any more, and its time
 * stands still, so it does not renew its leases. Give `run` a concurrency of 1, so that it claims nothing more.
 */
export const dyingAt = <R>(
  write: number,
  when: "before" | "after",
  dead: Deferred.Deferred<void>,
  run: Effect.Effect<never, unknown, R>
): Effect.Effect<void, never, R | SagaStore.SagaStore> =>
  Effect.gen(function*() {
    const store = yield* SagaStore.SagaStore
    const clock = yield* Clock.Clock
    let writes = 0
    const die = Effect.andThen(Deferred.succeed(dead, undefined), Effect.never)
    const dying = SagaStore.SagaStore.of({
      ...store,
      work: (options) =>
        store.work({
          ...options,
          handle: (held) =>
            options.handle({
              ...held,
              write: (change) => {
                if (++writes !== write) return held.write(change)
                return when === "before" ? die : Effect.andThen(held.write(change), die)
              }
            })
        })
    })
    yield* run.pipe(
      Effect.provideService(SagaStore.SagaStore, dying),
      Effect.provideService(
        Clock.Clock,
        Object.assign(Object.create(clock) as Clock.Clock, { sleep: () => Effect.never })
      ),
      Effect.forkDetach({ startImmediately: true })
    )
  })
