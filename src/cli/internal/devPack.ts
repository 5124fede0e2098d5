/** `dev pack`: what an assignment needs, as a folder or a zip: the autograder for Gradescope, or the students' copy. */
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, extname, join, relative, resolve } from "node:path"
import * as Assignment from "../../workbook/Assignment.ts"
import * as Catalogue from "../../workbook/Catalogue.ts"
import * as Pack from "../../workbook/Pack.ts"
import { exitCodes, LearnProblem, usage } from "./learnSession.ts"

const asked = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDefault(false), Flag.withoutNegation, Flag.withDescription(description))

/** A folder that is gone when the zip is made. */
const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lifecycle-pack-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
)

const shown = (path: string): string => {
  const way = relative(process.cwd(), path)
  return way === "" || way.startsWith("..") ? path : way
}

export const pack = Command.make(
  "pack",
  {
    gradescope: asked("gradescope", "make the autograder for Gradescope"),
    noSolutions: asked("no-solutions", "make the students' copy: stubs, specs, hints, lessons, and no answer"),
    assignment: Flag.String("assignment").pipe(
      Flag.optional,
      Flag.withDescription("the assignment file; every core exercise when absent")
    ),
    out: Flag.String("out").pipe(
      Flag.optional,
      Flag.withDescription("a file that ends in .zip, or a new folder; named after the assignment when absent")
    ),
    hints: Flag.Boolean("hints").pipe(
      Flag.withDefault(true),
      Flag.withDescription("let the hints go along with the students' copy; --no-hints keeps them back")
    ),
    node: Flag.String("node").pipe(
      Flag.optional,
      Flag.withDescription("the Node of Gradescope's image, such as 24.21.0; the one that runs this when absent")
    ),
    course: Flag.String("course").pipe(
      Flag.withDefault("exercises"),
      Flag.withDescription("the folder of the course; ./exercises when absent")
    )
  },
  Effect.fn("cli.dev.pack")(function*(given) {
    if (given.gradescope === given.noSolutions) {
      return yield* usage(
        "Say what to make: --gradescope for the autograder, or --no-solutions for the students' copy."
      )
    }
    if (Option.isSome(given.node) && !/^\d+\.\d+\.\d+$/.test(given.node.value)) {
      return yield* usage(`--node wants a whole version, such as 24.21.0, not ${given.node.value}.`)
    }
    const catalogue = yield* Effect.mapError(
      Catalogue.load(resolve(given.course)),
      (error) => new LearnProblem({ problem: error.message, code: exitCodes.courseBroken })
    )
    const file = Option.getOrUndefined(given.assignment)
    const assignment = file === undefined
      ? Assignment.whole(catalogue)
      : yield* Effect.mapError(Assignment.load(resolve(file), catalogue), (error) => usage(error.message))

    const stem = file === undefined ? "course" : basename(file, extname(file))
    const out = resolve(
      Option.getOrElse(given.out, () => given.gradescope ? `${stem}-autograder.zip` : `${stem}-students`)
    )
    const zipped = out.endsWith(".zip")
    if (zipped && existsSync(out)) {
      return yield* usage(`${shown(out)} is there already: name another file with --out, or remove it.`)
    }
    const folder = zipped ? join(yield* scratch, basename(out, ".zip")) : out
    const node = Option.getOrUndefined(given.node)
    const options = { catalogue, assignment, out: folder, hints: given.hints }
    const made = yield* Effect.gen(function*() {
      const pack = given.gradescope ? yield* Pack.gradescope({ ...options, node }) : yield* Pack.noSolutions(options)
      if (zipped) yield* Pack.zip(pack, out)
      return pack
    }).pipe(Effect.mapError((error) => usage(error.message)))

    const what = given.gradescope ? "the autograder" : "the students' copy"
    const points = Assignment.maximum(assignment)
    const ids = assignment.items.map((item) => item.exercise.manifest.id).join(", ")
    yield* Console.log(
      [
        `${shown(out)}: ${what} of "${assignment.title}", ${made.files} files.`,
        `Exercises: ${ids}`,
        ...given.gradescope
          ? [
            zipped
              ? `Upload it to Gradescope as the autograder of a programming assignment of ${points} points (Ubuntu 22.04 or newer).`
              : `Zip what is in ${basename(out)}, not the folder itself, or name a file with --out ${
                basename(out)
              }.zip.`
          ]
          : ["Students run `npm ci && npm run learn` in it; `learn` follows its assignment.json by itself."]
      ].join("\n")
    )
  }, Effect.scoped)
).pipe(Command.withDescription("Pack an assignment: the autograder for Gradescope, or the students' copy"))
