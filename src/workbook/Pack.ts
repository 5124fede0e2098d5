/**
 * Folders to hand on: the autograder for Gradescope, and the student's copy of a course without its solutions.
 *
 * A pack is a folder with what the course needs to run (the package's own files, the library, the exercises that were
 * asked for) and nothing that gives an answer away: no solutions, alternatives or wrong answers. `zip` makes one file of it, on
 * every system in the same way; the folder stays.
 *
 * **Gotchas**
 *
 * - Gradescope takes a zip whose scripts are at its root, which is what `zip` makes.
 * - The assignment goes along as `assignment.json`; `learn` follows it by itself, hidden solutions included.
 * - Specs are in both packs: a student's copy checks itself, so it has to. Hints are left out only with `hints: false`.
 * - Gradescope's image fetches Node and the packages once, while it is built. A check needs no network.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Assignment, Catalogue, Pack } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 * import { existsSync, mkdtempSync, rmSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const folder = mkdtempSync(join(tmpdir(), "pack-"))
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.load("exercises")
 *   const assignment = yield* Assignment.parse(`{ "title": "Week 1", "exercises": ["02.2"] }`, "week-1.json", catalogue)
 *   const pack = yield* Pack.noSolutions({ catalogue, assignment, out: join(folder, "students") })
 *   const exercise = join(pack.folder, "exercises", "02-deadlines", "02-one-budget")
 *   assert.ok(existsSync(join(exercise, "exercise.ts")))
 *   assert.ok(!existsSync(join(exercise, "solution.ts")))
 * })
 * await Effect.runPromise(program).finally(() => rmSync(folder, { recursive: true }))
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import type { Assignment } from "./Assignment.ts"
import type { Catalogue } from "./Catalogue.ts"
import { writeZip } from "./internal/zip.ts"

/**
 * A pack cannot be made.
 *
 * @category errors
 * @since 0.1.0
 */
export class PackProblem extends Schema.TaggedError<PackProblem>()("PackProblem", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.problem}`
  }
}

/**
 * What to pack.
 *
 * @category models
 * @since 0.1.0
 */
export interface PackOptions {
  readonly catalogue: Catalogue
  /** Its exercises are in the pack, and no others. */
  readonly assignment: Assignment
  /** The folder to make; one that has something in it is refused. */
  readonly out: string
  /** Whether hints go along; yes unless said otherwise. */
  readonly hints?: boolean | undefined
}

/**
 * A folder that was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pack {
  readonly folder: string
  /** How many files are in it. */
  readonly files: number
}

// What a course needs besides its exercises. Tests and the guide for teachers, which has model answers, stay at home.
const shared = [
  "package.json",
  "package-lock.json",
  ".npmrc",
  "tsconfig.json",
  "LICENSE",
  "README.md",
  "src",
  "dist",
  "lessons"
]
// MESSAGES.md quotes what each wrong answer is told.
const private_ = new Set(["node_modules", ".git", ".lifecycle", "workspace", "TEACHING.md", "MESSAGES.md", "site"])
const answers = new Set(["solution.ts", "alternatives", "mutants"])

/**
 * The student's copy: stubs, specs, hints, the library and the lessons.
 *
 * @category constructors
 * @since 0.1.0
 */
export const noSolutions = Effect.fn("Pack.noSolutions")(
  function*(options: PackOptions): Effect.fn.Return<Pack, PackProblem> {
    return yield* attempt(options.out, () => {
      const folder = begin(options.out)
      copyCourse(options, folder)
      writeAssignment(options.assignment, folder)
      return { folder, files: count(folder) }
    })
  }
)

/**
 * The autograder for Gradescope: `setup.sh`, `run_autograder` and the course.
 *
 * @category constructors
 * @since 0.1.0
 */
export const gradescope = Effect.fn("Pack.gradescope")(function*(
  options: PackOptions & {
    /** The Node that the image gets; the one that packs unless said otherwise. */
    readonly node?: string | undefined
  }
): Effect.fn.Return<Pack, PackProblem> {
  return yield* attempt(options.out, () => {
    const folder = begin(options.out)
    copyCourse({ ...options, hints: false }, folder)
    writeAssignment(options.assignment, folder)
    script(join(folder, "setup.sh"), setup(options.node ?? process.versions.node))
    script(join(folder, "run_autograder"), runAutograder)
    return { folder, files: count(folder) }
  })
})

/**
 * Makes one zip file of a pack. The scripts in it can be run where it is unpacked, also when it was made on Windows.
 *
 * @category combinators
 * @since 0.1.0
 */
export const zip = Effect.fn("Pack.zip")(
  function*(pack: Pack, file: string): Effect.fn.Return<string, PackProblem> {
    return yield* attempt(file, () => {
      const path = resolve(file)
      mkdirSync(dirname(path), { recursive: true })
      writeZip(pack.folder, path)
      return path
    })
  }
)

const attempt = <A>(path: string, work: () => A): Effect.Effect<A, PackProblem> =>
  Effect.try({
    try: work,
    catch: (error) => new PackProblem({ path, problem: error instanceof Error ? error.message : String(error) })
  })

const begin = (out: string): string => {
  const folder = resolve(out)
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new Error("The folder has something in it already.")
  mkdirSync(folder, { recursive: true })
  return folder
}

const copyCourse = ({ assignment, catalogue, hints = true }: PackOptions, folder: string): void => {
  const root = dirname(catalogue.folder)
  const copy = (from: string, skip: ReadonlySet<string>): void => {
    if (!existsSync(from)) return
    cpSync(from, join(folder, relative(root, from)), {
      recursive: true,
      filter: (path) => resolve(path) !== folder && !skip.has(basename(path)) && !private_.has(basename(path))
    })
  }
  for (const name of shared) copy(join(root, name), private_)
  for (const { isDirectory, name } of entries(catalogue.folder)) {
    if (!isDirectory) copy(join(catalogue.folder, name), private_)
  }
  const skip = hints ? answers : new Set([...answers, "hints.md"])
  for (const { exercise } of assignment.items) copy(exercise.folder, skip)
}

const entries = (folder: string) =>
  readdirSync(folder, { withFileTypes: true }).map((one) => ({ name: one.name, isDirectory: one.isDirectory() }))

const writeAssignment = ({ due, hideSolutions, items, title }: Assignment, folder: string): void => {
  const rubric = Object.fromEntries(
    items.flatMap(({ exercise, rubric }) => rubric.length === 0 ? [] : [[exercise.manifest.id, rubric]])
  )
  const exercises = items.map(({ exercise, weight }) =>
    weight === 1 ? exercise.manifest.id : { id: exercise.manifest.id, weight }
  )
  const file = { title, ...due !== undefined && { due }, exercises, hideSolutions, rubric }
  writeFileSync(join(folder, "assignment.json"), `${JSON.stringify(file, undefined, 2)}\n`)
}

const count = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length

const script = (file: string, text: string): void => {
  writeFileSync(file, text)
  chmodSync(file, 0o755)
}

const setup = (node: string): string =>
  `#!/usr/bin/env bash
# Runs once, as root, while the image is built: installs Node and the packages of the course.
set -euo pipefail

version="${node}"
case "$(uname -m)" in
  aarch64 | arm64) machine=arm64 ;;
  *) machine=x64 ;;
esac
name="node-v$version-linux-$machine"
command -v curl > /dev/null || { apt-get update && apt-get install -y curl ca-certificates; }
cd /tmp
curl -fsSLO "https://nodejs.org/dist/v$version/$name.tar.gz"
curl -fsSL "https://nodejs.org/dist/v$version/SHASUMS256.txt" | grep " $name.tar.gz\\$" | sha256sum --check
tar -xzf "$name.tar.gz" -C /usr/local --strip-components=1

cd /autograder/source
npm ci --no-audit --no-fund
`

const runAutograder = `#!/usr/bin/env bash
# Runs for every submission: grades it and writes what Gradescope shows. AUTOGRADER is another root, to try it elsewhere.
root="\${AUTOGRADER:-/autograder}"
results="$root/results/results.json"
mkdir -p "$root/results"
cd "$root/source" || exit 1
made="$(mktemp)"
if ! node src/cli/bin.mjs grade "$root/submission" --assignment assignment.json --report gradescope > "$made"; then
  echo "The autograder ended with an error; see the lines above." >&2
fi
if [ -s "$made" ]; then
  cp "$made" "$results"
else
  echo '{ "score": 0, "output": "There was nothing to grade, or the autograder could not run. The files have to lie as in the workspace: 02-deadlines/02-one-budget/exercise.ts, or 02.2.ts." }' > "$results"
fi
`
