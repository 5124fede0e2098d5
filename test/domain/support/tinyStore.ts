import { Context, Effect, Layer, Option, Semaphore, Stream } from "effect"
import { EventStore, StateStore, UnitOfWork } from "effect-lifecycle/store"

type Tx = { after: Array<Effect.Effect<void>> }
const Open = Context.Reference<Tx | undefined>("tiny/Open", { defaultValue: () => undefined })

// to be replaced by MemoryStore
export const layer = Layer.effectContext(Effect.gen(function*() {
  let events: Array<EventStore.StoredEvent> = []
  let ids = new Map<string, EventStore.Appended>()
  let rows = new Map<string, { id: string; version: number; state: any }>()
  const lock = yield* Semaphore.make(1)
  const key = (s: EventStore.StreamId) => `${s.category}/${s.id}`
  const of = (s: EventStore.StreamId) => events.filter((e) => key(e.stream) === key(s))
  const append = (a: EventStore.Append) =>
    Effect.sync((): EventStore.AppendResult => {
      const id = `${key(a.stream)}/${a.commandId}`
      const known = a.commandId === undefined ? undefined : ids.get(id)
      if (known) return { ...known, replayed: true }
      const actual = of(a.stream).length
      if (typeof a.expect === "number" && a.expect !== actual) return { _tag: "Conflict", expected: a.expect, actual }
      a.events.forEach((e, i) =>
        events.push({
          position: BigInt(events.length + 1),
          stream: { tenant: "", category: a.stream.category, id: a.stream.id },
          version: actual + 1 + i,
          id: `e${events.length}`,
          type: e.type,
          schemaVersion: e.schemaVersion ?? 1,
          data: e.data,
          meta: e.meta ?? {},
          at: new Date(0)
        })
      )
      const done: EventStore.Appended = {
        _tag: "Appended",
        firstVersion: actual + 1,
        version: actual + a.events.length,
        position: BigInt(events.length),
        replayed: false
      }
      if (a.commandId !== undefined) ids.set(id, done)
      return done
    })
  const unit = UnitOfWork.UnitOfWork.of({
    run: (effect) =>
      Effect.flatMap(Open, (open) => {
        if (open) return effect
        const tx: Tx = { after: [] }
        return lock.withPermit(Effect.suspend(() => {
          const copy = { events: [...events], ids: new Map(ids), rows: new Map(rows) }
          return Effect.onExit(Effect.provideService(effect, Open, tx), (exit) =>
            Effect.sync(() => {
              if (exit._tag === "Failure") ({ events, ids, rows } = copy)
            }))
        })).pipe(Effect.tap(() => Effect.forEach(tx.after, (f) => f)))
      }),
    afterCommit: (effect) =>
      Effect.contextWith((context: Context.Context<any>) => {
        const open = Context.get(context, Open)
        const provided = Effect.provideContext(Effect.provideService(effect, Open, undefined), context)
        return open ? Effect.sync(() => void open.after.push(provided)) : provided
      }),
    isOpen: Effect.map(Open, (open) => open !== undefined)
  })
  return Context.make(UnitOfWork.UnitOfWork, unit).pipe(
    Context.add(EventStore.EventStore, {
      append,
      appendAll: (all) => Effect.forEach(all, append),
      read: (s, o) =>
        Stream.suspend(() => Stream.fromIterable(of(s).filter((e) => e.version >= (o?.from ?? 1)).slice(0, o?.limit))),
      readAll: () => Stream.suspend(() => Stream.fromIterable(events)),
      version: (s) => Effect.sync(() => of(s).length),
      findAppend: (s, id) => Effect.sync(() => Option.fromNullishOr(ids.get(`${key(s)}/${id}`)))
    }),
    Context.add(StateStore.StateStore, {
      get: (c, id) => Effect.sync(() => Option.fromNullishOr(rows.get(`${c.name}/${id}`))),
      put: (c, row) => Effect.sync(() => void rows.set(`${c.name}/${row.id}`, row)),
      remove: (c, id) => Effect.sync(() => void rows.delete(`${c.name}/${id}`)),
      query: () => Effect.succeed({ rows: [], next: undefined })
    })
  )
}))
