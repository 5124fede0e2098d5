import { Schema } from "effect"

/**
 * Why an embedded PostgreSQL could not be had. The message is one sentence that says what happened and what to do.
 *
 * @category errors
 * @since 0.1.0
 */
export class EmbeddedPostgresError extends Schema.TaggedError<EmbeddedPostgresError>()("EmbeddedPostgresError", {
  reason: Schema.Literals([
    "PackageMissing",
    "LibrariesMissing",
    "Unwritable",
    "WrongOwner",
    "NotADataFolder",
    "OtherVersion",
    "InUse",
    "DiskFull",
    "DidNotStart"
  ]),
  /** What was found, without a full stop. */
  problem: Schema.String,
  /** What a person can do about it, without a full stop. */
  advice: Schema.String
}) {
  override get message(): string {
    return `${this.problem}: ${this.advice}.`
  }
}

const code = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined

/** The error for a folder that could not be made, read or changed. */
export const fromFileSystem = (folder: string, error: unknown): EmbeddedPostgresError => {
  const errno = code(error)
  return errno === "ENOSPC" || errno === "EDQUOT"
    ? diskFull(folder)
    : new EmbeddedPostgresError({
      reason: "Unwritable",
      problem: `PostgreSQL's data folder ${folder} cannot be written (${errno ?? String(error)})`,
      advice: "give this user write rights there, or choose another folder"
    })
}

const diskFull = (folder: string) =>
  new EmbeddedPostgresError({
    reason: "DiskFull",
    problem: `There is no space left for PostgreSQL's data in ${folder}`,
    advice: "free some space, or choose a folder on another disk"
  })

/** Another server, alive, owns the folder. */
export const inUse = (folder: string, pid: number | string): EmbeddedPostgresError =>
  new EmbeddedPostgresError({
    reason: "InUse",
    problem: `The data folder ${folder} is in use by a PostgreSQL that is running already (process ${pid})`,
    advice: `stop the program that runs it (or, when none does, \`kill -INT ${pid}\`), or choose another folder`
  })

/** The folder was made by another major version of PostgreSQL. */
export const otherVersion = (folder: string, found: string, needed: string): EmbeddedPostgresError =>
  new EmbeddedPostgresError({
    reason: "OtherVersion",
    problem: `The data folder ${folder} was made by PostgreSQL ${found}, but the installed one is PostgreSQL ${needed}`,
    advice: "move the folder away to start with an empty one, or upgrade its data with pg_upgrade first"
  })

/** What `initdb` or `postgres` said before it gave up, as one error. */
export const fromOutput = (folder: string, output: string): EmbeddedPostgresError => {
  if (/No space left on device|Disk quota exceeded/.test(output)) return diskFull(folder)
  const lock = /lock file "[^"]*postmaster\.pid" already exists[^]*?\(PID (\d+)\)/.exec(output)
  if (lock?.[1] !== undefined) return inUse(folder, lock[1])
  const version = /initialized by PostgreSQL version (\S+?),.*version (\S+?)\.?(?: |\n|$)/.exec(output)
  if (version?.[1] !== undefined && version[2] !== undefined) return otherVersion(folder, version[1], version[2])
  if (/Permission denied|Read-only file system|wrong ownership/.test(output)) {
    return fromFileSystem(folder, /Permission denied|Read-only file system|wrong ownership/.exec(output)?.[0])
  }
  const nameless = /could not look up effective user ID (\d+)/.exec(output)?.[1]
  if (nameless !== undefined) {
    return new EmbeddedPostgresError({
      reason: "WrongOwner",
      problem: `PostgreSQL cannot run as user ${nameless}, because this machine has no user of that number`,
      advice: "give the number a name in /etc/passwd, run as another user, or set DATABASE_URL to use another server"
    })
  }
  const lines = output.split("\n").map((line) => line.trim()).filter((line) => line !== "")
  const decisive = lines.find((line) => /\b(FATAL|PANIC|error):/.test(line)) ?? lines.at(-1) ?? "it said nothing"
  return new EmbeddedPostgresError({
    reason: "DidNotStart",
    problem: `PostgreSQL did not start in ${folder} (${decisive.replace(/^.*?(FATAL|PANIC|error): +/, "")})`,
    advice: "run `npx lifecycle doctor` in a clone, or set DATABASE_URL to use a server of your own"
  })
}

/** A server that was killed leaves processes that hold its memory for a moment: worth another try. */
export const isTransient = (output: string): boolean => /pre-existing shared memory block.*still in use/.test(output)
