import { Data, Effect, Stream } from "effect"

export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{ readonly run: number }> {}

export interface Payment {
  readonly id: number
  readonly amount: number
}

export const steady = (feed: Stream.Stream<Payment, ConnectionLost>): Stream.Stream<Payment, ConnectionLost> =>
  Stream.suspend(() => {
    const seen = new Set<number>()
    const runs = (left: number): Stream.Stream<Payment, ConnectionLost> =>
      Stream.catch(feed, (lost) => left > 1 ? runs(left - 1) : Stream.fail(lost))
    return runs(3).pipe(
      Stream.filter(({ id }) => !seen.has(id)),
      Stream.tap(({ id }) => Effect.sync(() => seen.add(id)))
    )
  })
