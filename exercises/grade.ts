/**
 * Runs the spec of an exercise against a learner's file, a solution or a wrong answer, and counts points.
 *
 * Each subject gets a copy of the spec with its imports pointed at the subject; all copies run in one vitest. Points come
 * from `meta.json` alone: a task that does not show up in the run has failed, and a task that the manifest does not know
 * counts for nothing. vitest's module cache stays off, because it would answer with yesterday's file.
 */
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { stripVTControlCharacters } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))
const conditions = ["lifecycle-source", "module", "node", "development|production"]

/** One graded task; without points it is a guard, which a stub that does nothing may pass too. */
export interface Task {
  readonly id: string
  readonly title: string
  readonly points: number
}

/** What `meta.json` holds. */
export interface Manifest {
  readonly id: string
  readonly title: string
  readonly level: 1 | 2 | 3
  readonly kind: "predict" | "identify" | "complete" | "repair" | "build" | "write-the-test"
  /** The folder of the chapter's lesson, where it has one. */
  readonly lesson?: string
  readonly teaches: ReadonlyArray<string>
  readonly needs: ReadonlyArray<string>
  readonly tasks: ReadonlyArray<Task>
}

/** An exercise of this folder. */
export interface Exercise {
  readonly folder: string
  readonly manifest: Manifest
}

/** A file to grade as the answer to an exercise. */
export interface Subject {
  readonly exercise: Exercise
  readonly file: string
}

/** How one task went. */
export interface TaskVerdict extends Task {
  readonly passed: boolean
  /** Why it failed, in words for the learner. */
  readonly message: string | undefined
}

/** How a whole file went. */
export interface Verdict {
  readonly id: string
  readonly file: string
  readonly passed: boolean
  readonly points: number
  readonly tasks: ReadonlyArray<TaskVerdict>
}

/** Every exercise, in the order of the course. */
export const list = (): Array<Exercise> =>
  globSync("exercises/*/*/meta.json", { cwd: root })
    .sort()
    .map((path) => ({
      folder: join(root, dirname(path)),
      manifest: JSON.parse(readFileSync(join(root, path), "utf8")) as Manifest
    }))

/** All the points there are in an exercise. */
export const maximum = (manifest: Manifest): number => manifest.tasks.reduce((sum, task) => sum + task.points, 0)

const specFor = (subject: Subject, folder: string): string => {
  const spec = join(subject.exercise.folder, "exercise.spec.ts")
  const from = (target: string): string => {
    const path = relative(folder, target).replaceAll("\\", "/")
    return path.startsWith(".") ? path : `./${path}`
  }
  return readFileSync(spec, "utf8").replaceAll(
    /(\bfrom\s+")(\.{1,2}\/[^"]+)(")/g,
    (_, before: string, path: string, after: string) =>
      before + from(path === "./exercise.ts" ? subject.file : resolve(dirname(spec), path)) + after
  )
}

/** An assertion's message, with the comparison that the assertion library adds as a sentence of its own. */
const sentence = (message: string): string =>
  stripVTControlCharacters(message).trim().replace(/([.?!]): expected ([^]*)$/, "$1 Seen: expected $2.")

interface Ran {
  readonly task: string
  readonly passed: boolean
  readonly message: string
}

const verdictOf = (subject: Subject, ran: ReadonlyArray<Ran>, broken: string | undefined): Verdict => {
  const { manifest } = subject.exercise
  const tasks = manifest.tasks.map((task): TaskVerdict => {
    const mine = ran.filter((test) => test.task === task.id)
    const failed = mine.find((test) => !test.passed)
    const message = failed?.message ?? (mine.length > 0 ? undefined : broken ?? "This task did not run.")
    return { ...task, passed: message === undefined, message }
  })
  const points = tasks.reduce((sum, task) => sum + (task.passed ? task.points : 0), 0)
  return { id: manifest.id, file: subject.file, passed: tasks.every((task) => task.passed), points, tasks }
}

/** Grades files; the answer has one verdict a subject, in their order. */
export const grade = async (subjects: ReadonlyArray<Subject>): Promise<Array<Verdict>> => {
  const missing = subjects.find((subject) => !existsSync(subject.file))
  if (missing !== undefined) throw new Error(`There is no file ${missing.file}`)
  mkdirSync(join(root, ".lifecycle"), { recursive: true })
  const folder = mkdtempSync(join(root, ".lifecycle", "grading-"))
  try {
    const specs = subjects.map((subject, index) => {
      const path = join(folder, `${index}-${basename(subject.file, ".ts")}.spec.ts`)
      writeFileSync(path, specFor(subject, folder))
      return path
    })
    const { createVitest } = await import("vitest/node")
    const vitest = await createVitest(
      {
        config: false,
        root,
        watch: false,
        reporters: [{}],
        include: [".lifecycle/grading-*/*.spec.ts"],
        exclude: [],
        pool: "threads",
        maxWorkers: 1,
        isolate: false,
        allowOnly: false,
        fsModuleCache: false,
        testTimeout: 3000,
        onConsoleLog: () => false
      },
      { logLevel: "silent", resolve: { conditions }, ssr: { resolve: { conditions } } }
    )
    try {
      await vitest.standalone()
      const project = vitest.getRootProject()
      const { testModules } = await vitest.runTestSpecifications(specs.map((path) => project.createSpecification(path)))
      return subjects.map((subject, index) => {
        const module = testModules.find((module) => resolve(module.moduleId) === specs[index])
        const ran = Array.from(module?.children.allTests() ?? [], (test): Ran => {
          const result = test.result()
          return {
            task: /^\w+/.exec(test.fullName)?.[0] ?? "",
            passed: result.state === "passed",
            message: sentence(result.errors?.[0]?.message ?? "This task did not run to its end.")
          }
        })
        const broken = module?.errors()[0]
        return verdictOf(subject, ran, broken && `The file cannot be loaded: ${sentence(broken.message)}`)
      })
    } finally {
      await vitest.close()
      // vitest marks the process as failed when a test fails; here that is an answer like any other.
      process.exitCode = undefined
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
