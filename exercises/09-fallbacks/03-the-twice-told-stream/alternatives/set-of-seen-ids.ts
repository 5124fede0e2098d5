import { Cause, Data, Effect, Stream } from "effect"

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
  Stream.suspend(() => {
    const seen = new Set<number>()
    return live.pipe(
      Stream.tap(({ id }) => Effect.sync(() => seen.add(id))),
      Stream.map(from("live")),
      Stream.catchCause((first) =>
        first.reasons.every(Cause.isFailReason)
          ? archive.pipe(
            Stream.filter(({ id }) => !seen.has(id)),
            Stream.map(from("archive")),
            Stream.catchCause((second) =>
              Stream.failCause(Cause.fromReasons<ConnectionLost | ArchiveAway>([...first.reasons, ...second.reasons]))
            )
          )
          : Stream.failCause(first)
      )
    )
  })
