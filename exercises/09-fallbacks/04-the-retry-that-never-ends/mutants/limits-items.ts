// fails: b - ends the endless stream where it is read
import { Data, Schedule, Stream } from "effect"

export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{ readonly run: number }> {}

export interface Payment {
  readonly id: number
  readonly amount: number
}

export const steady = (feed: Stream.Stream<Payment, ConnectionLost>): Stream.Stream<Payment, ConnectionLost> =>
  Stream.retry(feed, Schedule.recurs(2)).pipe(Stream.take(20))
