/**
 * A map of at most so many entries: what was asked for least recently goes first.
 */

export interface Bounded<A> {
  readonly get: (key: string) => A | undefined
  readonly set: (key: string, value: A) => A
  readonly size: () => number
}

export const makeBounded = <A>(maximum: number): Bounded<A> => {
  const entries = new Map<string, A>()
  const touch = (key: string, value: A): A => {
    entries.delete(key)
    entries.set(key, value)
    return value
  }
  return {
    get: (key) => {
      const value = entries.get(key)
      return value === undefined ? undefined : touch(key, value)
    },
    set: (key, value) => {
      touch(key, value)
      if (entries.size > maximum) {
        // A map keeps its keys in the order they were set.
        for (const oldest of entries.keys()) {
          entries.delete(oldest)
          break
        }
      }
      return value
    },
    size: () => entries.size
  }
}
