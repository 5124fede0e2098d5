// fails: b - continues behind the last id, as if the archive had the live feed's order
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
      mode: { resumeBy: (entry) => entry.id },
      fallback: ({ lastKey }) =>
        lastKey === undefined
          ? Stream.map(archive, from("archive"))
          : archive.pipe(
            Stream.dropWhile((entry) => entry.id !== lastKey),
            Stream.drop(1),
            Stream.map(from("archive"))
          )
    })
  )
