// fails: a - collects the live feed first, to see whether it breaks
import { Data, Effect, Stream } from "effect"
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
  Stream.suspend(() => {
    const told: Array<Told> = []
    const collected = live.pipe(
      Stream.map(from("live")),
      Stream.runForEach((entry) => Effect.sync(() => told.push(entry)))
    )
    return Stream.unwrap(Effect.map(Effect.exit(collected), (exit) =>
      Stream.fromIterable(told).pipe(
        Stream.concat(exit._tag === "Success" ? Stream.empty : Stream.failCause(exit.cause)),
        Fallback.stream({
          mode: { dedupeBy: (entry: Told) => entry.id },
          fallback: () => Stream.map(archive, from("archive"))
        })
      )))
  })
