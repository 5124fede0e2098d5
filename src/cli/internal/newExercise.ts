/** The files that a new exercise begins with. */
import { Effect, Schema } from "effect"
import { existsSync, globSync, mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

/** The exercise cannot be begun. */
export class CannotCreate extends Schema.TaggedError<CannotCreate>()("CannotCreate", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

const titleOf = (name: string): string => {
  const words = name.replaceAll("-", " ")
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const files = (id: string, title: string, path: string): Readonly<Record<string, string>> => ({
  "meta.json": `{
  "id": "${id}",
  "title": "${title}",
  "level": 2,
  "kind": "complete",
  "teaches": [],
  "needs": [],
  "tasks": [
    { "id": "a", "title": "what the stub does already stays", "points": 0 },
    { "id": "b", "title": "what the learner adds", "points": 4 }
  ]
}
`,
  "exercise.ts": `/**
 * ${id} ${title}
 *
 * The situation, in three or four sentences.
 *
 * Do
 * 1. \`answer\`: what it has to do.
 *
 * Check: \`npm run learn\`. Try: \`npx tsx workspace/${path}/exercise.ts\`.
 */
import { Effect } from "effect"

/** What this is. */
export const answer: Effect.Effect<number> = Effect.succeed(0)

if (import.meta.main) console.log(await Effect.runPromise(answer))
`,
  "exercise.spec.ts": `import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer } from "./exercise.ts"

it.effect("a: what the stub does already stays", () =>
  Effect.gen(function*() {
    assert.isNumber(yield* answer, "The answer has to be a number.")
  }))

it.effect("b: what the learner adds", () =>
  Effect.gen(function*() {
    assert.strictEqual(yield* answer, 42, "The answer has to be the one that was asked for.")
  }))
`,
  "solution.ts": `import { Effect } from "effect"

export const answer: Effect.Effect<number> = Effect.succeed(0)
`,
  "hints.md": `# ${id} ${title}

## b what the learner adds

1. Where to look, as a question.
`
})

/** Begins an exercise, and gives its folder. */
export const createExercise = Effect.fnUntraced(function*(options: {
  readonly course: string
  readonly id: string
  readonly name: string
  readonly chapter?: string | undefined
}): Effect.fn.Return<string, CannotCreate> {
  const { course, id, name } = options
  const [, number, place] = /^(\d\d)\.(\d{1,2})$/.exec(id) ?? []
  if (number === undefined || place === undefined) {
    return yield* new CannotCreate({ reason: `"${id}" is not a number such as 03.6: two digits, a dot, the place.` })
  }
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    return yield* new CannotCreate({
      reason: `"${name}" is not a name such as wait-for-less: small letters and dashes.`
    })
  }
  const chapters = existsSync(course) ? globSync(`${number}-*`, { cwd: course }).sort() : []
  const asked = options.chapter?.replace(/^\d\d-/, "")
  const chapter = chapters[0] ?? (asked === undefined ? undefined : `${number}-${asked}`)
  if (chapter === undefined) {
    return yield* new CannotCreate({
      reason: `There is no chapter ${number} in ${course}: name it with --chapter NAME.`
    })
  }
  const prefix = place.padStart(2, "0")
  const [taken] = globSync(`${prefix}-*`, { cwd: join(course, chapter) })
  if (taken !== undefined) {
    return yield* new CannotCreate({ reason: `${id} is there already: ${course}/${chapter}/${taken}.` })
  }
  const folder = resolve(course, chapter, `${prefix}-${name}`)
  return yield* Effect.try({
    try: () => {
      for (const below of ["alternatives", "mutants"]) mkdirSync(join(folder, below), { recursive: true })
      const path = `${chapter}/${prefix}-${name}`
      for (const [file, text] of Object.entries(files(id, titleOf(name), path))) writeFileSync(join(folder, file), text)
      return folder
    },
    catch: (error) => new CannotCreate({ reason: error instanceof Error ? error.message : String(error) })
  })
})
