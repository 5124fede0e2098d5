/** Which projections have had events that waited for each other's rows, so that their writers had better take turns. */

/** A deadlock stops its rows for about a second, until PostgreSQL sees it; one writer after another costs far less. */
const forMillis = 10_000

export class Turns {
  private readonly until = new Map<string, number>()

  /** A transaction of it was undone. */
  readonly note = (projection: string, now: number): void => {
    this.until.set(projection, now + forMillis)
  }

  readonly isTaken = (projection: string, now: number): boolean => {
    const until = this.until.get(projection)
    if (until !== undefined && until <= now) this.until.delete(projection)
    return until !== undefined && until > now
  }
}
