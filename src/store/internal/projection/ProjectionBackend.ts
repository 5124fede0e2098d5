/** What a store must have for projections: a row for each version, and a lock for each name. */
import type { Effect } from "effect"
import type { Version } from "../../Projection.ts"
import type { StateStore } from "../../StateStore.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"

export interface VersionRow extends Omit<Version, "subscription"> {
  readonly name: string
}

export interface ProjectionBackend {
  /** As those of the `StateStore`; each row belongs to the transaction from when it was first touched until that ends. */
  readonly rows: Pick<StateStore["Service"], "get" | "put" | "remove">
  /** This process keeps the projection in the transactions of its appends. */
  readonly keeps: (name: string) => void
  /** Until the transaction ends, no version of these names changes its status. */
  readonly share: (names: ReadonlyArray<string>) => Effect.Effect<void, StoreUnavailable>
  /** As `share`, and nobody else shares the names. */
  readonly lock: (names: ReadonlyArray<string>) => Effect.Effect<void, StoreUnavailable>
  /** Until the transaction ends it writes to the collection with others that do so together, or alone. */
  readonly turn: (collection: string, how: "together" | "alone") => Effect.Effect<void, StoreUnavailable>
  /** In order of name and version. */
  readonly list: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<VersionRow>, StoreUnavailable>
  readonly find: (name: string, version: number) => Effect.Effect<VersionRow | undefined, StoreUnavailable>
  readonly live: (name: string) => Effect.Effect<VersionRow | undefined, StoreUnavailable>
  /** Notes a version as building where it is not known; one that is building changes its mode. */
  readonly register: (name: string, version: number, mode: Version["mode"]) => Effect.Effect<void, StoreUnavailable>
  readonly setStatus: (
    name: string,
    version: number,
    status: Version["status"]
  ) => Effect.Effect<void, StoreUnavailable>
  /** Removes the version's row, and all rows of its collection. */
  readonly remove: (name: string, version: number, collection: string) => Effect.Effect<void, StoreUnavailable>
}
