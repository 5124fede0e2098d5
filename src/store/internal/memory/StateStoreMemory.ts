/** `StateStore` over the database of this process. */
import { Effect, type Fiber, HashMap, Option } from "effect"
import { type Collection, type QueryOptions, type Row, StateStore } from "../../StateStore.ts"
import * as Tenant from "../../Tenant.ts"
import { fieldOf, makeCodecs } from "../codec.ts"
import { type After, check, type Checked, makeCursor } from "../query.ts"
import { compareText } from "../text.ts"
import type { Database, MemoryRow, State } from "./Database.ts"

export const make = (database: Database): StateStore["Service"] => {
  const codecOf = makeCodecs()
  return StateStore.of({
    get: <A, I>(collection: Collection<A, I>, id: string) =>
      Effect.flatMap(
        Effect.withFiber((fiber) =>
          database.read((state) => HashMap.get(rowsOf(state, nameOf(collection, fiber)), id))
        ),
        (found) =>
          Option.isNone(found)
            ? Effect.succeed(Option.none<Row<A>>())
            : Effect.asSome(codecOf(collection).decode(found.value))
      ),
    put: <A, I>(collection: Collection<A, I>, row: Row<A>) =>
      database.write((state, fiber) => {
        const data = JSON.stringify(codecOf(collection).encode(row.state))
        return [
          undefined,
          change(state, nameOf(collection, fiber), (rows) => HashMap.set(rows, row.id, { ...row, data }))
        ]
      }),
    remove: <A, I>(collection: Collection<A, I>, id: string) =>
      database.write((state, fiber) => [
        undefined,
        change(state, nameOf(collection, fiber), (rows) => HashMap.remove(rows, id))
      ]),
    query: <A, I>(collection: Collection<A, I>, options?: QueryOptions) =>
      Effect.gen(function*() {
        const query = yield* Effect.fromResult(check(collection, options))
        const { next, rows } = yield* Effect.withFiber((fiber) =>
          database.read((state) => select(state, nameOf(collection, fiber), query))
        )
        return { rows: yield* Effect.forEach(rows, codecOf(collection).decode), next }
      })
  })
}

/** Each tenant has its own. */
const nameOf = (collection: { readonly name: string }, fiber: Fiber.Fiber<unknown, unknown>): string =>
  JSON.stringify([fiber.getRef(Tenant.Current), collection.name])

const select = (state: State, collection: string, query: Checked) => {
  const keyOf = (row: MemoryRow): After & { readonly row: MemoryRow } => ({
    id: row.id,
    value: query.orderBy === undefined ? null : fieldOf(JSON.parse(row.data), query.orderBy),
    row
  })
  const direction = query.descending ? -1 : 1
  const order = (left: After, right: After) =>
    direction * (compareJson(left.value, right.value) || compareText(left.id, right.id))
  const { after } = query
  const matching = Array.from(HashMap.values(rowsOf(state, collection)))
    .filter((row) => query.where.every(([field, value]) => fieldOf(JSON.parse(row.data), field) === value))
    .map(keyOf)
    .filter((key) => after === undefined || order(key, after) > 0)
    .toSorted(order)
  const page = matching.slice(0, query.limit)
  const last = page.at(-1)
  return {
    rows: page.map(({ row }) => row),
    next: last !== undefined && matching.length > page.length ? makeCursor(query, last) : undefined
  }
}

const rowsOf = (state: State, collection: string): HashMap.HashMap<string, MemoryRow> =>
  Option.getOrElse(HashMap.get(state.collections, collection), () => HashMap.empty<string, MemoryRow>())

const change = (
  state: State,
  collection: string,
  f: (rows: HashMap.HashMap<string, MemoryRow>) => HashMap.HashMap<string, MemoryRow>
): State => ({ ...state, collections: HashMap.set(state.collections, collection, f(rowsOf(state, collection))) })

/** The order of PostgreSQL's `jsonb`: null, strings, numbers, booleans, then the rest. */
const compareJson = (left: unknown, right: unknown): number => {
  const rank = rankOf(left) - rankOf(right)
  if (rank !== 0) return rank
  if (typeof left === "string" && typeof right === "string") return compareText(left, right)
  if (typeof left === "number" || typeof left === "boolean") return Number(left) - Number(right)
  return compareText(JSON.stringify(left), JSON.stringify(right))
}

const rankOf = (value: unknown): number =>
  value === null ? 0 : ({ string: 1, number: 2, boolean: 3 } as Readonly<Record<string, number>>)[typeof value] ?? 4
