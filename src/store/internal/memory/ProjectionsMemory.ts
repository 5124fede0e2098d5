/** The versions of projections in the database of this process, whose transactions take turns anyway. */
import { Effect, HashMap, Option } from "effect"
import type { ProjectionBackend, VersionRow } from "../projection/ProjectionBackend.ts"
import type { Database } from "./Database.ts"
import * as StateStoreMemory from "./StateStoreMemory.ts"

export const make = (database: Database): ProjectionBackend => {
  const rowsOf = (name: string) =>
    database.read((state) => Option.getOrElse(HashMap.get(state.projections, name), () => none))
  const change = (name: string, f: (rows: ReadonlyArray<VersionRow>) => ReadonlyArray<VersionRow>) =>
    database.write((state) => [undefined, {
      ...state,
      projections: HashMap.set(
        state.projections,
        name,
        f(Option.getOrElse(HashMap.get(state.projections, name), () => none))
      )
    }])
  return {
    rows: StateStoreMemory.make(database),
    keeps: () => {},
    share: () => Effect.void,
    lock: () => Effect.void,
    turn: () => Effect.void,
    list: (names) => Effect.map(Effect.forEach(names.toSorted(), rowsOf), (rows) => rows.flat()),
    find: (name, version) => Effect.map(rowsOf(name), (rows) => rows.find((row) => row.version === version)),
    live: (name) => Effect.map(rowsOf(name), (rows) => rows.find((row) => row.status === "live")),
    register: (name, version, mode) =>
      change(name, (rows) => {
        const found = rows.find((row) => row.version === version)
        if (found !== undefined && found.status !== "building") return rows
        const others = rows.filter((row) => row.version !== version)
        return [...others, { name, version, mode, status: "building" as const }].toSorted((one, other) =>
          one.version - other.version
        )
      }),
    setStatus: (name, version, status) =>
      change(name, (rows) => rows.map((row) => row.version === version ? { ...row, status } : row)),
    remove: (name, version, collection) =>
      Effect.andThen(
        change(name, (rows) => rows.filter((row) => row.version !== version)),
        database.write((state) => [undefined, {
          ...state,
          // Each tenant has a collection of its own under the name.
          collections: HashMap.filter(state.collections, (_, key) => JSON.parse(key)[1] !== collection)
        }])
      )
  }
}

const none: ReadonlyArray<VersionRow> = []
