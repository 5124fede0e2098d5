/** What is added to a progress by what a learner does. */
import { DateTime } from "effect"
import type { Exercise } from "../../Catalogue.ts"
import { openPoints, type Verdict } from "../../Verdict.ts"
import { type Entry, entryOf, type Progress } from "./model.ts"

/** Changes what is kept about one exercise. */
export const withEntry = (id: string, change: (entry: Entry) => Entry) => (progress: Progress): Progress => ({
  ...progress,
  entries: new Map(progress.entries).set(id, change(entryOf(progress, id)))
})

/**
 * Makes an exercise the current one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const movedTo = (id: string) => (progress: Progress): Progress => ({ ...progress, current: id })

/**
 * Adds a check to what is kept.
 *
 * @category combinators
 * @since 0.1.0
 */
export const checked = (exercise: Exercise, verdict: Verdict, now: DateTime.Utc) => (progress: Progress): Progress =>
  verdict.outcome === "couldNotFinish" ?
    progress :
    withEntry(exercise.manifest.id, ({ failing: _, open: __, ...entry }) => {
      const open = openPoints(verdict)
      const failing = verdict.tasks.flatMap((task) => task.passed || task.open === true ? [] : [task.id])
      return {
        ...entry,
        // What is solved is not tried again, only looked at.
        attempts: entry.attempts + (entry.solved ? 0 : 1),
        failures: verdict.passed || verdict.outcome === "open" ? 0 : entry.failures + 1,
        points: Math.max(entry.points, verdict.points),
        ...verdict.passed && { solved: true, firstSolved: entry.firstSolved ?? DateTime.formatIso(now) },
        ...(verdict.passed || !entry.solved) && { courseVersion: exercise.version },
        ...open > 0 && !entry.solved && { open },
        ...failing.length > 0 && !verdict.passed && { failing }
      }
    })(progress)

/**
 * Notes that a hint was read.
 *
 * @category combinators
 * @since 0.1.0
 */
export const hinted = (id: string, task: string, tier: number) =>
  withEntry(id, (entry) => ({
    ...entry,
    hints: { ...entry.hints, [task]: Math.max(entry.hints[task] ?? 0, tier) }
  }))

/**
 * Notes that the solution was looked at; after the exercise is solved this changes nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const looked = (id: string) => withEntry(id, (entry) => entry.solved ? entry : { ...entry, seen: true })

/**
 * Ticks off a step of a path.
 *
 * @category combinators
 * @since 0.1.0
 */
export const ticked = (path: string, step: string) => (progress: Progress): Progress => {
  const steps = progress.paths[path] ?? []
  return steps.includes(step) ? progress : { ...progress, paths: { ...progress.paths, [path]: [...steps, step] } }
}
