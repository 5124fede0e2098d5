/** Finds a learner's files in what was handed in, without following links out of it, and says what was not used and why. */
import { createHash } from "node:crypto"
import { lstatSync, readdirSync, readFileSync, realpathSync } from "node:fs"
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path"
import type { Exercise } from "../Catalogue.ts"

const largest = 1_000_000

/** How deep a submission is looked through for files that lie in a wrong place, and how many of them are named. */
const deepest = 6
const mostNamed = 5

/** What was found for one exercise. */
export interface Answer {
  /** The file that is checked, from the folder of the submission. */
  readonly place: string | undefined
  readonly file: string | undefined
  readonly hash: string
  /** Whether it is still the stub. */
  readonly untouched: boolean
  /** What was not used, and why; sentences. */
  readonly notices: ReadonlyArray<string>
}

/** What was found for the exercises of an assignment. */
export interface Found {
  readonly answers: ReadonlyMap<Exercise, Answer>
  /** Files that belong to no exercise of the assignment, and are no part of the course; sentences. */
  readonly notices: ReadonlyArray<string>
}

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

const kindOf = (file: string) => {
  try {
    return lstatSync(file)
  } catch {
    return undefined
  }
}

const namesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

// What browsers, macOS and Windows add to the name of a file that is there already.
const another = String.raw`(?: ?\(\d+\)| copy(?: \d+)?| - Copy(?: ?\(\d+\))?)`
const escaped = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)

/** Second copies of a file, as downloads leave them behind: `05.1 (1).ts`. */
const copiesOf = (root: string, place: string): ReadonlyArray<string> => {
  const pattern = new RegExp(`^${escaped(basename(place, ".ts"))}${another}\\.ts$`, "i")
  const folder = dirname(place)
  return namesIn(join(root, folder)).filter((name) => pattern.test(name))
    .map((name) => folder === "." ? name : `${folder}/${name}`)
}

interface Candidate {
  readonly place: string
  /** Why it cannot be used. */
  readonly refused: string | undefined
  readonly hash: string
  readonly stub: boolean
}

const hashOf = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex")

const plain = (text: string): string => text.replaceAll("\r\n", "\n")

const refusalOf = (root: string, file: string): string | undefined => {
  const stat = kindOf(file)
  const near = (from: string, to: string): string => relative(from, to).split(sep).join("/")
  try {
    if (stat?.isSymbolicLink() === true || near(realpathSync(root), realpathSync(file)) !== near(root, file)) {
      return "it is a link, and links are not followed"
    }
  } catch {
    return "it cannot be read"
  }
  return stat?.isFile() !== true ? "it is no file" : stat.size > largest ? "it is larger than 1 MB" : undefined
}

const candidate = (root: string, place: string, exercise: Exercise): Candidate => {
  const file = join(root, ...place.split("/"))
  const refused = (why: string): Candidate => ({ place, refused: why, hash: "", stub: false })
  const why = refusalOf(root, file)
  if (why !== undefined) return refused(why)
  try {
    const bytes = readFileSync(file)
    const stub = plain(bytes.toString()) === plain(readFileSync(exercise.stub, "utf8"))
    return { place, refused: undefined, hash: hashOf(bytes), stub }
  } catch {
    return refused("it cannot be read")
  }
}

const listed = (names: ReadonlyArray<string>): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`

/** A sentence that a terminal can show, whatever somebody calls a file. */
const shown = (sentence: string): string => sentence.replaceAll(/\p{Cc}/gu, "\uFFFD")

const distinct = (some: ReadonlyArray<Candidate>): ReadonlyArray<Candidate> =>
  some.filter((one, index) => some.findIndex(({ hash }) => hash === one.hash) === index)

/**
 * What counts as the answer: the first place with something other than the stub, else the only copy that is not, else the
 * stub. Two copies that differ are nobody's answer: which of them is meant is for a person.
 */
const chosenOf = (
  own: ReadonlyArray<Candidate>,
  copies: ReadonlyArray<Candidate>
): { readonly chosen: Candidate | undefined; readonly unclear: ReadonlyArray<Candidate> } => {
  const answer = own.find((one) => !one.stub)
  if (answer !== undefined) return { chosen: answer, unclear: [] }
  const begun = distinct(copies.filter((one) => !one.stub))
  return begun.length > 1
    ? { chosen: own[0], unclear: begun }
    : { chosen: begun[0] ?? own[0] ?? copies[0], unclear: [] }
}

const answerOf = (
  root: string,
  exercise: Exercise,
  alone: boolean
): Answer & { readonly seen: ReadonlyArray<string> } => {
  const there = (place: string): boolean => kindOf(join(root, ...place.split("/"))) !== undefined
  // Where only one exercise was asked for, a file says without a number whose answer it is.
  const usual = [...places(exercise), ...alone ? ["exercise.ts"] : []]
  const own = usual.filter(there).map((place) => candidate(root, place, exercise))
  const copies = usual.flatMap((place) => copiesOf(root, place)).map((place) => candidate(root, place, exercise))
  const all = [...own, ...copies]
  const usable = (some: ReadonlyArray<Candidate>) => some.filter((one) => one.refused === undefined)
  const { chosen, unclear } = chosenOf(usable(own), usable(copies))
  const others = usable(all).filter((one) =>
    one.hash !== chosen?.hash && !unclear.includes(one) && !(one.stub && one.place.startsWith("exercises/"))
  )
  const answers = others.filter((one) => !one.stub).map(({ place }) => place)
  return {
    place: chosen?.place,
    file: chosen === undefined ? undefined : join(root, ...chosen.place.split("/")),
    hash: chosen?.hash ?? "",
    untouched: chosen?.stub === true,
    notices: [
      ...all.flatMap(({ place, refused }) => refused === undefined ? [] : [`${place} was not used: ${refused}.`]),
      ...unclear.length === 0
        ? []
        : [
          `${listed(unclear.map(({ place }) => place))} were not used: they differ, and nothing says which one counts.`
        ],
      ...chosen === undefined || answers.length === 0
        ? []
        : [`There are several answers: ${chosen.place} was checked, and not ${listed(answers)}.`],
      ...others.filter((one) => one.stub).map(({ place }) => `${place} was not used: it is still the stub.`),
      ...chosen !== undefined && copies.includes(chosen) ? [`${chosen.place} was taken for the answer.`] : []
    ].map(shown),
    seen: all.map(({ place }) => place)
  }
}

// A test, a wrong answer or a file that the course brings along is not what somebody forgot to name.
const isCourse = (path: string): boolean =>
  /^(?:exercises|lessons|src|test|dist)\//.test(path) || /\.(?:spec|test|config|d)\.[cm]?tsx?$/.test(path)
  || /(?:^|\/)\d\d-[^/]+\/\d\d-[^/]+\/exercise\.ts$/.test(path)
  || /^(?:workspace\/)?(?:support|sql|serve)\.ts$/.test(path)

const isProgram = (path: string): boolean => /\.(?:[cm]?[jt]sx?|zip|tgz|tar|gz|7z|rar)$/i.test(path)

/** Whether the name of a file speaks of an exercise: `my-05_1.txt`, `count-to-open.js`. */
const speaksOf = (path: string, { manifest: { id }, path: folder }: Exercise): boolean => {
  const [chapter = "", number = ""] = id.split(".")
  const name = basename(path, extname(path))
  return name.includes(basename(folder).replace(/^\d+-/, ""))
    || new RegExp(`(?<!\\d)0?${Number(chapter)}[._-]0?${Number(number)}(?!\\d)`).test(name)
}

/** All files and links of a folder, as paths from it; what tools keep for themselves is left out. */
const walk = (root: string, folder = "", depth = 0): ReadonlyArray<string> => {
  if (depth > deepest) return []
  const at = join(root, ...folder.split("/"))
  return namesIn(at).filter((name) => !name.startsWith(".") && name !== "node_modules").flatMap((name) => {
    const path = folder === "" ? name : `${folder}/${name}`
    return kindOf(join(at, name))?.isDirectory() === true ? walk(root, path, depth + 1) : [path]
  })
}

const notUsed = (paths: ReadonlyArray<string>, why: string): ReadonlyArray<string> => {
  const first = paths.slice(0, mostNamed)
  const more = paths.length - first.length
  const names = listed([...first, ...more > 0 ? [`${more} more`] : []])
  return paths.length === 0 ? [] : [shown(`${names} ${paths.length === 1 ? "was" : "were"} not used: ${why}.`)]
}

/** Looks through a submission for answers to some exercises. */
export const lookIn = (folder: string, exercises: ReadonlyArray<Exercise>): Found => {
  const root = resolve(folder)
  const found = exercises.map((exercise) => ({ exercise, ...answerOf(root, exercise, exercises.length === 1) }))
  const seen = new Set(found.flatMap((one) => one.seen))
  const isMissing = found.some(({ file }) => file === undefined)
  const stray = walk(root).filter((path) =>
    !seen.has(path) && !isCourse(path)
    && (exercises.some((exercise) => speaksOf(path, exercise)) || (isMissing && isProgram(path)))
  )
  return {
    answers: new Map(found.map(({ exercise, seen: _, ...answer }) => [exercise, answer])),
    notices: notUsed(stray, "neither name nor place is that of an answer")
  }
}

/** Whether a folder holds an answer, or a file that would be one if it could be used. */
export const holdsAnswer = (folder: string, exercises: ReadonlyArray<Exercise>): boolean =>
  exercises.flatMap(places).some((place) => kindOf(join(resolve(folder), ...place.split("/"))) !== undefined)

/** Whether a folder holds something that may be taken for an answer where nothing better is there. */
export const holdsCopy = (folder: string, exercises: ReadonlyArray<Exercise>): boolean =>
  exercises.some((exercise) => answerOf(resolve(folder), exercise, exercises.length === 1).seen.length > 0)

/** The folders in a folder; those that tools keep for themselves are left out. */
export const foldersIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true })
    .filter((one) => one.isDirectory() && !one.name.startsWith(".") && one.name !== "node_modules")
    .map((one) => one.name)
    .sort()

/** What lies beside the folders of students, and belongs to nobody; sentences. */
export const looseIn = (folder: string, exercises: ReadonlyArray<Exercise>): ReadonlyArray<string> => {
  const names = namesIn(folder).filter((name) => !name.startsWith(".") && name !== "node_modules")
  const kind = (name: string) => kindOf(join(folder, name))
  const links = names.filter((name) => kind(name)?.isSymbolicLink() === true)
  const files = names.filter((name) =>
    kind(name)?.isFile() === true && (isProgram(name) || exercises.some((exercise) => speaksOf(name, exercise)))
  )
  return [
    ...notUsed(files, "beside the folders of students nothing is looked for"),
    ...notUsed(links, "links are not followed")
  ]
}
