/** What the grader and the process that runs the tests say to each other. */

/** How the process is started: its only argument, as JSON. */
export interface HostOptions {
  /** The folder that has the packages: the one above the course. */
  readonly root: string
  readonly course: string
  /** A folder of this process alone, for the copies that it runs. It is removed when the process ends. */
  readonly scratch: string
  /** Whether the library is there as source, so that nothing has to be built. */
  readonly fromSource: boolean
}

/** Asks for one file to be run against one spec. */
export interface CheckRequest {
  readonly number: number
  /** The file to grade. */
  readonly file: string
  /** What its relative imports are relative to: the exercise's own folder, wherever the learner keeps the file. */
  readonly folder: string
  readonly spec: string
  /** Files that relative imports may name; `undefined` trusts the file, as one of the course's own. */
  readonly given: ReadonlyArray<string> | undefined
  /** Packages that may be imported besides the usual ones. */
  readonly imports: ReadonlyArray<string>
  /** The PostgreSQL for this check, where the exercise needs one. */
  readonly sql: SqlGiven | undefined
  /** Tasks that cannot be run here. */
  readonly skip: ReadonlyArray<string>
}

/** A schema on a PostgreSQL: the address of the server, or its socket. */
export type SqlPlace =
  & { readonly schema: string }
  & (
    | { readonly url: string }
    | { readonly path: string; readonly username: string; readonly database: string }
  )

/** What the specs of an exercise with SQL are given. */
export type SqlGiven =
  | { readonly _tag: "Place"; readonly place: SqlPlace }
  | { readonly _tag: "None" }

/** Why a file is not run at all. */
export interface Refusal {
  readonly line: number
  readonly sentence: string
  /** Whether the file reached for the grader itself. */
  readonly cheating: boolean
}

/** How one test of the spec went. */
export interface Ran {
  readonly name: string
  readonly passed: boolean
  readonly message: string | undefined
  /** The line of the learner's file that the failure came from. */
  readonly line: number | undefined
}

/** What a check showed. */
export interface Answer {
  readonly _tag: "Answer"
  readonly number: number
  readonly refusals: ReadonlyArray<Refusal>
  /** Why the file could not be loaded; `thrown` where it was run, and ended with an error of its own. */
  readonly broken:
    | { readonly message: string; readonly line: number | undefined; readonly thrown?: boolean | undefined }
    | undefined
  /** How the process that ran the file came to an end in the middle of it. */
  readonly ended?: string | undefined
  readonly tests: ReadonlyArray<Ran>
  /** Errors that no test waited for. */
  readonly outside: ReadonlyArray<string>
  /** What the file printed; cut. */
  readonly output: string
  /** What shows that somebody has rewritten the results. */
  readonly tampered: ReadonlyArray<string>
}

/** Everything that the process says. */
export type HostMessage =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "MissingPackage"; readonly name: string }
  | { readonly _tag: "Broken"; readonly number: number; readonly reason: string }
  | Answer

/** The test that must fail in every run. */
export const canary = "canary"

/** How much of what a file prints is kept, in characters. */
export const outputLimit = 10_000

/** Where specs find the PostgreSQL of their check; the course knows this name, too. */
export const sqlName = "lifecycleSql"

/** Where the tasks that are not run wait for the runner. */
export const skipName = "lifecycleSkip"

/** Where the secret of a run waits until the runner takes it away. */
export const secretName = "lifecycleGraderSecret"
