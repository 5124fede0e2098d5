/** What follows from what is kept: how exercises stand, which one is next, and the sums. */
import { type Catalogue, type Exercise, type Manifest, maximum } from "../../Catalogue.ts"
import { type Entry, entryOf, type Progress } from "./model.ts"

/**
 * How an exercise stands.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "new" | "started" | "open" | "solved"

/**
 * The sums of some exercises.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sum {
  readonly solved: number
  readonly exercises: number
  readonly points: number
  readonly maximum: number
  /** Points that could not be decided where they were checked. */
  readonly open: number
}

/**
 * The sums of a course; stretch exercises are not in them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary extends Sum {
  readonly byChapter: ReadonlyMap<string, Sum>
  readonly byLevel: ReadonlyMap<Manifest["level"], Sum & { /** 80 % of the points. */ readonly mastered: boolean }>
}

/**
 * How an exercise stands.
 *
 * @category getters
 * @since 0.1.0
 */
export const statusOf = (progress: Progress, id: string): Status => {
  const { attempts, failures, hints, open = 0, predictions, seen, solved } = entryOf(progress, id)
  if (solved) return "solved"
  if (open > 0 && failures === 0) return "open"
  return attempts > 0 || seen || predictions.length > 0 || Object.keys(hints).length > 0 ? "started" : "new"
}

/**
 * Whether the stub has changed since the exercise was solved.
 *
 * @category getters
 * @since 0.1.0
 */
export const isStale = (progress: Progress, exercise: Exercise): boolean => {
  const { courseVersion, solved } = entryOf(progress, exercise.manifest.id)
  return solved && courseVersion !== undefined && courseVersion !== exercise.version
}

/**
 * How many hints of an exercise were read.
 *
 * @category getters
 * @since 0.1.0
 */
export const hintsUsed = ({ hints }: Entry): number => Object.values(hints).reduce((sum, tier) => sum + tier, 0)

/**
 * The exercise to do after another one: the first after it that is not solved, else the first of all that is not.
 *
 * @category getters
 * @since 0.1.0
 */
export const next = (progress: Progress, exercises: ReadonlyArray<Exercise>, after?: string): Exercise | undefined => {
  const at = exercises.findIndex(({ manifest }) => manifest.id === after)
  const open = ({ manifest }: Exercise): boolean => manifest.id !== after && !entryOf(progress, manifest.id).solved
  const core = (one: Exercise): boolean => open(one) && one.manifest.stretch !== true
  return exercises.slice(at + 1).find(core) ?? exercises.find(core) ?? exercises.slice(at + 1).find(open)
    ?? exercises.find(open)
}

const sumOf = (progress: Progress, some: ReadonlyArray<Exercise>): Sum => {
  let solved = 0
  let points = 0
  let most = 0
  let undecided = 0
  for (const { manifest } of some) {
    const entry = entryOf(progress, manifest.id)
    const all = maximum(manifest)
    if (entry.solved) solved++
    // A solved exercise keeps all its points when an update of the course gives it more, or fewer.
    points += entry.solved ? all : Math.min(entry.points, all)
    most += all
    if (!entry.solved) undecided += Math.min(entry.open ?? 0, all - Math.min(entry.points, all))
  }
  return { solved, exercises: some.length, points, maximum: most, open: undecided }
}

/**
 * What is done, and what there is.
 *
 * @category getters
 * @since 0.1.0
 */
export const summary = (progress: Progress, { exercises }: Pick<Catalogue, "exercises">): Summary => {
  const core = exercises.filter(({ manifest }) => manifest.stretch !== true)
  const chapters = Map.groupBy(core, (one) => one.chapter)
  const levels = Map.groupBy(core, (one) => one.manifest.level)
  return {
    ...sumOf(progress, core),
    byChapter: new Map(Array.from(chapters, ([name, some]) => [name, sumOf(progress, some)])),
    byLevel: new Map(
      Array.from(levels, ([level, some]) => {
        const sum = sumOf(progress, some)
        return [level, { ...sum, mastered: sum.points >= 0.8 * sum.maximum }]
      })
    )
  }
}
