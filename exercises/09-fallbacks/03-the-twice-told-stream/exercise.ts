/**
 * 09.3 The twice-told stream
 *
 * A page follows what happens to an order. The live feed tells it as it happens; when its connection breaks, the archive
 * has all of it. So far `feed` puts the archive after what the live feed has told, and the customer reads that the parcel
 * was sent, and then once more that it was sent.
 *
 * The archive holds every entry, but in an order of its own: parcels first, then payments.
 *
 * Do
 * 1. Tell every entry once: those of the live feed as they come, and after a break those of the archive that were not told,
 *    in the archive's order. An `id` names an entry; a text does not.
 * 2. Say in `source` where each entry comes from.
 * 3. Keep nothing back: a customer who watches sees an entry when it happens, not when the feed ends.
 * 4. Only a lost connection is made good by the archive; a defect stays what it is. When the archive fails as well, both
 *    causes are told, the first one first.
 *
 * `Fallback.stream` of `effect-lifecycle/resilience` has a mode for it.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/09-fallbacks/03-the-twice-told-stream/exercise.ts`.
 */
import { Data, Effect, Stream } from "effect"

/** The connection of the live feed broke. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{}> {}

/** The archive cannot be read. */
export class ArchiveAway extends Data.TaggedError("ArchiveAway")<{}> {}

/** What happened to an order. */
export interface Entry {
  readonly id: number
  readonly text: string
}

export interface Told extends Entry {
  readonly source: "live" | "archive"
}

const from = (source: Told["source"]) => (entry: Entry): Told => ({ ...entry, source })

/** What happens to an order, from the live feed as long as it lasts. */
export const feed = (
  live: Stream.Stream<Entry, ConnectionLost>,
  archive: Stream.Stream<Entry, ArchiveAway>
): Stream.Stream<Told, ConnectionLost | ArchiveAway> =>
  live.pipe(
    Stream.catch(() => archive),
    Stream.map(from("live"))
  )

if (import.meta.main) {
  const entries: ReadonlyArray<Entry> = [
    { id: 1, text: "paid" },
    { id: 2, text: "parcel sent" },
    { id: 3, text: "money back" },
    { id: 4, text: "parcel sent" }
  ]
  const live = Stream.concat(Stream.fromIterable(entries.slice(0, 2)), Stream.fail(new ConnectionLost()))
  const archive = Stream.fromIterable([2, 4, 1, 3].map((id) => entries[id - 1]!))
  await Effect.runPromise(
    Stream.runForEach(
      feed(live, archive),
      ({ id, source, text }) => Effect.sync(() => console.log(`${id} ${text.padEnd(12)} (${source})`))
    )
  )
}
