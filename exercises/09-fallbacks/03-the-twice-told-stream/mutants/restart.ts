// fails: b - takes the mode whose name sounds like what one wants
import { Data, Stream } from "effect"
import { Fallback } from "effect-lifecycle/resilience"

export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{}> {}

export class ArchiveAway extends Data.TaggedError("ArchiveAway")<{}> {}

export interface Entry {
  readonly id: number
  readonly text: string
}

export interface Told extends Entry {
  readonly source: "live" | "archive"
}

const from = (source: Told["source"]) => (entry: Entry): Told => ({ ...entry, source })

export const feed = (
  live: Stream.Stream<Entry, ConnectionLost>,
  archive: Stream.Stream<Entry, ArchiveAway>
): Stream.Stream<Told, ConnectionLost | ArchiveAway> =>
  Stream.map(live, from("live")).pipe(
    Fallback.stream({
      mode: "restart",
      fallback: () => Stream.map(archive, from("archive"))
    })
  )
