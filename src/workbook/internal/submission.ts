/** Finds a learner's files in what was handed in, without following links out of it. */
import { existsSync, lstatSync, readdirSync, realpathSync } from "node:fs"
import { basename, join, relative, resolve, sep } from "node:path"
import type { Exercise } from "../Catalogue.ts"

const largest = 1_000_000

/** Where an answer may lie: as in a workspace, in a flat folder, or named after the exercise. */
const places = (exercise: Exercise): ReadonlyArray<string> => {
  const name = basename(exercise.path)
  return [
    `${exercise.path}/exercise.ts`,
    `workspace/${exercise.path}/exercise.ts`,
    `exercises/${exercise.path}/exercise.ts`,
    `${name}/exercise.ts`,
    `${name}.ts`,
    `${exercise.manifest.id}.ts`
  ]
}

const isPlain = (folder: string, file: string): boolean => {
  const real = relative(realpathSync(folder), realpathSync(file)).split(sep).join("/")
  const stat = lstatSync(file)
  return stat.isFile() && stat.size <= largest && real === relative(folder, file).split(sep).join("/")
}

/** The learner's file for an exercise, from the folder of the submission. */
export const answerIn = (folder: string, exercise: Exercise): string | undefined => {
  const root = resolve(folder)
  return places(exercise).find((place) => {
    const file = join(root, ...place.split("/"))
    try {
      return existsSync(file) && isPlain(root, file)
    } catch {
      return false
    }
  })
}

/** The folders in a folder; those that tools keep for themselves are left out. */
export const foldersIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true })
    .filter((one) => one.isDirectory() && !one.name.startsWith(".") && one.name !== "node_modules")
    .map((one) => one.name)
    .sort()
