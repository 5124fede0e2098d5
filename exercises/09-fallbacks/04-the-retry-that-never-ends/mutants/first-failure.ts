// fails: d - keeps the failure it saw first
import { Data, Effect, Stream } from "effect"

export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{ readonly run: number }> {}

export interface Payment {
  readonly id: number
  readonly amount: number
}

export const steady = (feed: Stream.Stream<Payment, ConnectionLost>): Stream.Stream<Payment, ConnectionLost> =>
  Stream.suspend(() => {
    const seen = new Set<number>()
    const again = (left: number, first: ConnectionLost): Stream.Stream<Payment, ConnectionLost> =>
      Stream.catch(feed, () => left > 1 ? again(left - 1, first) : Stream.fail(first))
    return Stream.catch(feed, (first) => again(2, first)).pipe(
      Stream.filter(({ id }) => !seen.has(id)),
      Stream.tap(({ id }) => Effect.sync(() => seen.add(id)))
    )
  })
