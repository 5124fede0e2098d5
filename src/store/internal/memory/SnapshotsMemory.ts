/** `Snapshots` in the database of this process. */
import { Effect, type Fiber, HashMap, Option } from "effect"
import type { StreamId } from "../../EventStore.ts"
import { type Key, Snapshots } from "../../Snapshots.ts"
import { fullStream } from "../appends.ts"
import type { Background } from "../background.ts"
import type { Database } from "./Database.ts"

/** A snapshot whose state is still JSON text, so that nobody can change what is stored. */
export interface MemorySnapshot {
  readonly stream: string
  readonly aggregate: string
  readonly fingerprint: string
  readonly version: number
  readonly position: bigint
  readonly data: string
}

export const make = (database: Database, background: Background): Snapshots["Service"] => {
  const without = (gone: (snapshot: MemorySnapshot) => boolean) =>
    database.write((state) => {
      const snapshots = HashMap.filter(state.snapshots, (snapshot) => !gone(snapshot))
      return [HashMap.size(state.snapshots) - HashMap.size(snapshots), { ...state, snapshots }]
    })
  return Snapshots.of({
    find: (key) =>
      Effect.withFiber((fiber) =>
        database.read((state) =>
          Option.map(HashMap.get(state.snapshots, idOf(key, fiber)), ({ data, position, version }) => ({
            version,
            position,
            data: JSON.parse(data)
          }))
        )
      ),
    save: (key, { data, position, version }) =>
      Effect.withFiber((fiber) =>
        database.write((state) => {
          const stream = nameOf(key.stream, fiber)
          const id = idOf(key, fiber)
          const before = HashMap.get(state.snapshots, id)
          if (!HashMap.has(state.streams, stream) || (Option.isSome(before) && before.value.version >= version)) {
            return [false, state]
          }
          const { aggregate, fingerprint } = key
          const snapshot = { stream, aggregate, fingerprint, version, position, data: JSON.stringify(data) }
          return [true, { ...state, snapshots: HashMap.set(state.snapshots, id, snapshot) }]
        })
      ),
    remove: (stream) =>
      Effect.withFiber((fiber) => {
        const name = nameOf(stream, fiber)
        return without((snapshot) => snapshot.stream === name)
      }),
    prune: (aggregate, keep) =>
      without((snapshot) => snapshot.aggregate === aggregate && !keep.includes(snapshot.fingerprint)),
    background: background.run,
    settled: background.settled
  })
}

/** As `EventStoreMemory` keys its streams. */
const nameOf = (stream: StreamId, fiber: Fiber.Fiber<unknown, unknown>): string => {
  const { category, id, tenant } = fullStream(stream, fiber)
  return JSON.stringify([tenant, category, id])
}

const idOf = (key: Key, fiber: Fiber.Fiber<unknown, unknown>): string =>
  JSON.stringify([nameOf(key.stream, fiber), key.aggregate, key.fingerprint])
