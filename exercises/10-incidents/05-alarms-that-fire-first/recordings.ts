/**
 * What the pool of `orders` said every five seconds: in three incidents, and on three days on which nothing happened. Given;
 * there is nothing to change here. The check has more of each kind, of other pools.
 */

export interface Sample {
  readonly seconds: number
  /** How many connections the pool has, and how many of them are in use. */
  readonly size: number
  readonly inUse: number
  /** How many requests wait for one, and how long the one has waited that waits longest. After 30 s it gets a 503. */
  readonly waiting: number
  readonly longestWaitMillis: number
  readonly requests: number
  /** How many requests ended with a 5xx. */
  readonly failed: number
}

export type Recording = ReadonlyArray<Sample>

/** What is different from an ordinary day, at a second. */
type Part = Partial<Omit<Sample, "seconds" | "size">>

const record = (size: number, minutes: number, part: (seconds: number) => Part): Recording =>
  Array.from({ length: minutes * 12 }, (_, index) => {
    const seconds = index * 5
    // Some unrest, the same in each run.
    const wave = Math.sin(index * 1.7) + Math.sin(index * 0.45)
    return {
      seconds,
      size,
      inUse: Math.max(0, Math.min(size, Math.round(size * (0.45 + 0.1 * wave)))),
      waiting: 0,
      longestWaitMillis: 0,
      requests: Math.round(size * (8 + wave)),
      failed: 0,
      ...part(seconds)
    }
  })

/** The wait grows from 0 at `from` to the 30 s at which customers get a 503. */
const growing = (size: number, from: number, takes: number) => (seconds: number): Part => {
  const share = Math.min(1, (seconds - from) / takes)
  if (share <= 0) return {}
  const waiting = Math.max(1, Math.round(size * 3 * share))
  return {
    inUse: size,
    waiting,
    longestWaitMillis: Math.round(30_000 * share ** 1.5),
    failed: share === 1 ? Math.ceil(size / 2) : 0
  }
}

/** One connection after the other does not come back. */
export const leak = (size: number, from: number): Recording =>
  record(size, 12, (seconds) => {
    // All of them would be gone after 400 s; customers need a bit less than a half.
    const lost = Math.max(0, Math.floor((size * (seconds - from)) / 400))
    return seconds <= from + 220
      ? { inUse: Math.min(size, lost + Math.round(size * 0.45)) }
      : growing(size, from + 220, 120)(seconds)
  })

/** A service that is asked while a connection is held has become slow. */
export const slowNeighbour = (size: number, from: number): Recording => record(size, 12, growing(size, from, 70))

/** Twice the customers of any other day, growing for minutes. */
export const rush = (size: number, from: number): Recording =>
  record(size, 14, (seconds) => {
    const share = Math.max(0, Math.min(1, (seconds - from) / 180))
    return {
      requests: Math.round(size * (8 + 8 * share)),
      ...share > 0 && { inUse: Math.min(size, Math.round(size * (0.5 + share))) },
      ...growing(size, from + 90, 150)(seconds)
    }
  })

/** A new version starts cold: for a quarter of a minute everybody waits. */
export const deploy = (size: number, from: number): Recording =>
  record(size, 12, (seconds) =>
    seconds >= from && seconds < from + 15
      ? { inUse: size, waiting: size * 2, longestWaitMillis: 1500 + (seconds - from) * 200 }
      : {})

/** A nightly job uses all that there is, for ten minutes, and takes turns politely. */
export const nightly = (size: number, from: number): Recording =>
  record(size, 14, (seconds) =>
    seconds >= from && seconds < from + 600
      ? { inUse: size, waiting: 1 + (seconds % 2), longestWaitMillis: 120 + (seconds % 7) * 30 }
      : {})

/** A handler with a bug, for two minutes; the pool has nothing to do with it, and somebody else is told of it. */
export const bug = (size: number, from: number): Recording =>
  record(size, 12, (seconds) => seconds >= from && seconds < from + 120 ? { failed: size } : {})

export const incidents: Readonly<Record<string, Recording>> = {
  leak: leak(20, 120),
  slowNeighbour: slowNeighbour(20, 240),
  rush: rush(20, 180)
}

export const calmDays: Readonly<Record<string, Recording>> = {
  deploy: deploy(20, 200),
  nightly: nightly(20, 120),
  bug: bug(20, 300)
}
