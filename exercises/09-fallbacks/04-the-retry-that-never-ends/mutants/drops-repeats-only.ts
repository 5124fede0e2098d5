// fails: b - sees the repeated payments, and not that the source is opened for ever
import { Data, Effect, Schedule, Stream } from "effect"

export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{ readonly run: number }> {}

export interface Payment {
  readonly id: number
  readonly amount: number
}

export const steady = (feed: Stream.Stream<Payment, ConnectionLost>): Stream.Stream<Payment, ConnectionLost> =>
  Stream.suspend(() => {
    const seen = new Set<number>()
    return Stream.retry(feed, Schedule.recurs(2)).pipe(
      Stream.filter(({ id }) => !seen.has(id)),
      Stream.tap(({ id }) => Effect.sync(() => seen.add(id)))
    )
  })
