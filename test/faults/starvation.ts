/**
 * Whether a process had work and got no processor for it. A time limit that passes then says nothing of the program; one
 * that passes while the program was busy by itself, or had nothing to do, is its own fault.
 */
import { performance } from "node:perf_hooks"

/** A stretch in which the processor was elsewhere for `lostMillis`. Times are those of `Date.now`, the same in all processes. */
export interface Starved {
  readonly from: number
  readonly to: number
  readonly lostMillis: number
}

const everyMillis = 50

/** Notes the stretches of this process from now on. */
export const watch = (): ReadonlyArray<Starved> => {
  const stretches: Array<Starved> = []
  let at = performance.now()
  let cpu = process.cpuUsage()
  let loop = performance.eventLoopUtilization()
  setInterval(() => {
    const now = performance.now()
    const used = process.cpuUsage(cpu)
    const { active } = performance.eventLoopUtilization(loop)
    const wall = now - at
    // What it wanted: the time that its loop was at work, or that its timer was late.
    const lostMillis = Math.max(active, wall - everyMillis) - (used.user + used.system) / 1000
    if (lostMillis > wall / 2) stretches.push({ from: Date.now() - wall, to: Date.now(), lostMillis })
    at = now
    cpu = process.cpuUsage()
    loop = performance.eventLoopUtilization()
  }, everyMillis).unref()
  return stretches
}

/** How much of the time from `from` to `to` was lost. */
export const lost = (stretches: ReadonlyArray<Starved>, from: number, to: number): number =>
  stretches.reduce((sum, one) => one.to > from && one.from < to ? sum + Math.min(one.lostMillis, to - from) : sum, 0)
