/** What the matrix and the process that runs many files at once say to each other. */
import type { AdaptedCheat } from "./cheats.ts"
import type { Ran, Refusal, SqlGiven } from "./protocol.ts"

/** How the process is started: its only argument, as JSON. */
export interface BatchOptions {
  /** The folder that has the packages: the one above the course. */
  readonly root: string
  /** A folder of this process alone. It is removed when the process ends. */
  readonly scratch: string
  readonly fromSource: boolean
}

/** One file to run against one spec. The process trusts it. */
export interface BatchSubject {
  readonly number: number
  readonly spec: string
  readonly file: string
  /** What to run in the place of what the file says. */
  readonly text?: string | undefined
  /** Shuffles the tests; they run as they stand without one. */
  readonly seed?: number | undefined
  /** Stops at the first test that fails. */
  readonly quick?: boolean | undefined
}

/** An exercise to make small mistakes in, and to put the cheats into. */
export interface PrepareExercise {
  readonly id: string
  readonly folder: string
  readonly stub: string
  readonly solution: string | undefined
  readonly given: ReadonlyArray<string>
  readonly imports: ReadonlyArray<string>
}

/** A cheat as an answer to an exercise. */
export interface PreparedCheat extends AdaptedCheat {
  readonly name: string
  /** Whether the rules about the text let it through. */
  readonly runs: boolean
}

/** What was prepared for an exercise. */
export interface Prepared {
  readonly id: string
  readonly mutations: ReadonlyArray<{ readonly name: string; readonly text: string }>
  readonly cheats: ReadonlyArray<PreparedCheat>
  /** Why a learner could not hand in the stub, or the solution. */
  readonly refusals: ReadonlyArray<Refusal & { readonly file: string }>
  readonly problem?: string | undefined
}

/** Everything that the process is asked for. */
export type BatchRequest =
  | {
    readonly _tag: "Run"
    readonly subjects: ReadonlyArray<BatchSubject>
    /** How long a test may take that does not say so itself. */
    readonly testMillis: number
    /** The PostgreSQL for those that need one. */
    readonly sql: SqlGiven | undefined
  }
  | {
    readonly _tag: "Prepare"
    readonly exercises: ReadonlyArray<PrepareExercise>
    readonly cheats: ReadonlyArray<string>
    readonly rules: { readonly support: string }
  }

/** How one file went. */
export interface BatchAnswer {
  readonly number: number
  readonly tests: ReadonlyArray<Ran>
  readonly broken: string | undefined
}

/** Everything that the process says; a `Beat` shows that it still moves. */
export type BatchMessage =
  | { readonly _tag: "Beat" }
  | { readonly _tag: "MissingPackage"; readonly name: string }
  | { readonly _tag: "Done"; readonly answer: BatchAnswer }
  | { readonly _tag: "Prepared"; readonly prepared: ReadonlyArray<Prepared> }
  | { readonly _tag: "End" }
  | { readonly _tag: "Broken"; readonly reason: string }
