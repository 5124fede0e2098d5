/**
 * The circuits of a store in memory: bounded, the least recently called first out, and without a timer. Circuits that are
 * not closed are kept apart, so that a flood of new keys drops no circuit that holds calls back.
 */
import { emptyWindow, type WindowCounts } from "./circuitWindow.ts"

export interface Entry {
  state: "Closed" | "Open" | "HalfOpen"
  generation: number
  lastUsed: number
  /** Closed: when the openings are forgotten. Open: when a probe may run. HalfOpen: when the probe's slot is free. */
  until: number
  openings: number
  openMillis: number
  counts: WindowCounts
}

export interface Entries {
  readonly get: (key: string, now: number) => Entry | undefined
  readonly getOrMake: (key: string, now: number) => Entry
  /** Into another state, with a new generation and nothing counted. */
  readonly move: (key: string, entry: Entry, state: Entry["state"]) => void
  readonly nextGeneration: () => number
}

export const makeEntries = (limits: { readonly idleMillis: number; readonly maximum: number }): Entries => {
  const closed = new Map<string, Entry>()
  const moved = new Map<string, Entry>()
  let generation = 0

  // What is open or probing is not idle before that is over.
  const isExpired = (entry: Entry, now: number) =>
    now - (entry.state === "Closed" ? entry.lastUsed : Math.max(entry.lastUsed, entry.until)) >= limits.idleMillis

  const get = (key: string, now: number) => {
    const entry = closed.get(key) ?? moved.get(key)
    return entry === undefined || isExpired(entry, now) ? undefined : entry
  }

  // The maps are in order of use: what is idle stands at the front.
  const dropIdle = (entries: Map<string, Entry>, now: number) => {
    for (const [key, entry] of entries) {
      if (!isExpired(entry, now)) return
      entries.delete(key)
    }
  }

  const dropOldest = () => {
    const entries = closed.size > 0 ? closed : moved
    for (const key of entries.keys()) {
      entries.delete(key)
      return
    }
  }

  return {
    get,
    getOrMake: (key, now) => {
      const found = get(key, now)
      if (found !== undefined) {
        const entries = found.state === "Closed" ? closed : moved
        entries.delete(key)
        entries.set(key, found)
        found.lastUsed = now
        return found
      }
      closed.delete(key)
      moved.delete(key)
      dropIdle(closed, now)
      dropIdle(moved, now)
      if (closed.size + moved.size >= limits.maximum) dropOldest()
      const entry: Entry = {
        state: "Closed",
        generation: ++generation,
        lastUsed: now,
        until: 0,
        openings: 0,
        openMillis: 0,
        counts: emptyWindow
      }
      closed.set(key, entry)
      return entry
    },
    move: (key, entry, state) => {
      closed.delete(key)
      moved.delete(key)
      entry.state = state
      entry.generation = ++generation
      entry.counts = emptyWindow
      const entries = state === "Closed" ? closed : moved
      entries.set(key, entry)
    },
    nextGeneration: () => ++generation
  }
}
