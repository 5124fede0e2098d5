/** What is kept about a learner. */
import { Schema } from "effect"

/**
 * What somebody said would happen, before it was run.
 *
 * @category models
 * @since 0.1.0
 */
export const Prediction = Schema.Struct({
  at: Schema.String,
  /** What was said, by the question: a task and whether it passes, a question of the exercise and its answer. */
  said: Schema.Record(Schema.String, Schema.String),
  /** A hash over all of that, over what it is about, and over the prediction before it. */
  seal: Schema.String,
  /** About how many it was right, and of how many; not there before the result was shown. */
  result: Schema.optionalKey(Schema.Struct({ right: Schema.Int, of: Schema.Int }))
})

/**
 * What somebody said would happen, before it was run.
 *
 * @category models
 * @since 0.1.0
 */
export type Prediction = typeof Prediction.Type

/**
 * What somebody says, before it has a seal.
 *
 * @category models
 * @since 0.1.0
 */
export type Said = Pick<Prediction, "at" | "said">

/**
 * What is kept about one exercise.
 *
 * @category models
 * @since 0.1.0
 */
export const Entry = Schema.Struct({
  solved: Schema.Boolean,
  /** The most points so far. */
  points: Schema.Int,
  attempts: Schema.Int,
  /** How many checks in a row did not pass. */
  failures: Schema.Int,
  /** The highest tier of hints that was read, for each task. */
  hints: Schema.Record(Schema.String, Schema.Int),
  /** Whether the solution was looked at before the exercise was solved. */
  seen: Schema.Boolean,
  firstSolved: Schema.optionalKey(Schema.String),
  /** The version of the stub that was last checked. */
  courseVersion: Schema.optionalKey(Schema.String),
  predictions: Schema.Array(Prediction),
  /** The points that the last check could not decide. */
  open: Schema.optionalKey(Schema.Int),
  /** The tasks that the last check found wrong. */
  failing: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * What is kept about one exercise.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry = typeof Entry.Type

/**
 * How far a learner is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** The exercise that the learner is at. */
  readonly current: string | undefined
  readonly entries: ReadonlyMap<string, Entry>
  /** Steps of a path that were ticked off, by the path's name. */
  readonly paths: Readonly<Record<string, ReadonlyArray<string>>>
  /** The predictions of the lessons, by their folders. */
  readonly lessons: Readonly<Record<string, Prediction>>
  /** Entries that this version does not understand: they are written back as they were. */
  readonly unknown: Readonly<Record<string, unknown>>
}

/**
 * A progress that was read, and where a file that could not be read was moved.
 *
 * @category models
 * @since 0.1.0
 */
export interface Loaded {
  readonly progress: Progress
  readonly setAside: string | undefined
}

/**
 * Nothing done yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: Progress = { current: undefined, entries: new Map(), paths: {}, lessons: {}, unknown: {} }

const noEntry: Entry = {
  solved: false,
  points: 0,
  attempts: 0,
  failures: 0,
  hints: {},
  seen: false,
  predictions: []
}

/**
 * What is kept about an exercise; an empty entry where nothing is.
 *
 * @category getters
 * @since 0.1.0
 */
export const entryOf = (progress: Progress, id: string): Entry => progress.entries.get(id) ?? noEntry
