/** What wrong answers are told, as a page to review: a change of a message is a change of this file. */
import { basename } from "node:path"
import type { Exercise } from "../Catalogue.ts"
import type { Verdict } from "../Verdict.ts"
import { messageOf, named } from "./gates.ts"

/** The name of the page, in the folder of the course. */
export const page = "MESSAGES.md"

const head = `# What wrong answers are told

The message that each wrong answer of the course gets in the task it names, to be read by a person: does it say what was
expected and what was seen, and not the fix? \`lifecycle dev check\` compares this page with what it sees, and
\`lifecycle dev check --write\` writes it anew.
`

/** The part of one exercise. */
export const sectionOf = (exercise: Exercise, verdicts: ReadonlyMap<string, Verdict>): string => {
  const lines = exercise.mutants.flatMap((file) => {
    const verdict = verdicts.get(file)
    const task = named(file)
    if (verdict === undefined || task === undefined) return []
    const message = messageOf(verdict, task).split("\n").map((line) => `  ${line}`.trimEnd()).join("\n")
    return [`${basename(file, ".ts")}, task ${task}\n${message}`]
  })
  const text = lines.join("\n")
  // As long as it has to be, and no longer, which is how formatters write it.
  const fence = "`".repeat(Math.max(3, ...Array.from(text.matchAll(/`{3,}/g), ([ticks]) => ticks.length + 1)))
  return `## ${exercise.manifest.id} ${exercise.manifest.title}\n\n${fence}text\n${text}\n${fence}\n`
}

const idOf = (section: string): string => /^## (\S+)/.exec(section)?.[1] ?? ""

/** The parts of the page, by the id of their exercise. */
export const sectionsOf = (text: string): Map<string, string> =>
  new Map(text.split(/^(?=## \d)/m).slice(1).map((section) => [idOf(section), `${section.trimEnd()}\n`]))

/** The whole page, in the order of the course. */
export const pageOf = (sections: ReadonlyMap<string, string>, ids: ReadonlyArray<string>): string =>
  [head, ...ids.flatMap((id) => sections.get(id) ?? [])].join("\n")

const identifiers = /\b(?=[a-f-]*\d)[0-9a-f][0-9a-f-]{7,}/g

/** What is the same in each run: what was seen may hold an id, a time or a random number, so it is not compared. */
const shape = (section: string): string =>
  section.split("\n").map((line) =>
    line.replace(/ Seen: .*$/, " Seen").replaceAll(identifiers, "#").replaceAll(/\d[\d.,_]*/g, "#")
  )
    .filter((line, at, all) => !/^ {2}[ }\]]/.test(line) || !all.slice(0, at).some((one) => one.endsWith(" Seen")))
    .join("\n")

/** Whether two parts say the same. */
export const same = (one: string, other: string): boolean => shape(one) === shape(other)

/** The lines that are only in one of two parts: `-` is gone, `+` is new. */
export const difference = (before: string, after: string): string => {
  const [old, now] = [before.split("\n"), after.split("\n")]
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line.trim()}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line.trim()}`)
  ].slice(0, 12).join("\n")
}
