/** The hints of an exercise: for each task a few tiers, from a question to the shape of the answer. */
import { Option } from "effect"
import { existsSync, readFileSync } from "node:fs"
import type { Exercise } from "../../workbook/Catalogue.ts"
import { type Entry, hintsUsed } from "../../workbook/Progress.ts"
import type { Verdict } from "../../workbook/Verdict.ts"

/** One hint. */
export interface Hint {
  readonly task: string
  /** 1 is a question, 2 the idea, 3 the shape of the answer. */
  readonly tier: number
  /** How many there are for the task. */
  readonly of: number
  readonly text: string
}

/**
 * Reads `hints.md`: a heading `## b Title` for each task, a numbered list below it. What is indented or follows without an
 * empty line belongs to the item above.
 */
export const parseHints = (markdown: string): ReadonlyMap<string, ReadonlyArray<string>> => {
  const byTask = new Map<string, Array<string>>()
  let items: Array<string> | undefined
  for (const line of markdown.split(/\r?\n/)) {
    const heading = /^##\s+(\w+)/.exec(line)?.[1]
    const item = /^\d+\.\s+(.*)$/.exec(line)?.[1]
    if (heading !== undefined) {
      items = []
      byTask.set(heading, items)
    } else if (item !== undefined) items?.push(item)
    else if (items !== undefined && items.length > 0 && line.trim() !== "") items.push(`${items.pop()} ${line.trim()}`)
  }
  return byTask
}

/** The hints of an exercise; none where it has no file of them. */
export const hintsOf = (exercise: Exercise): ReadonlyMap<string, ReadonlyArray<string>> =>
  Option.match(exercise.hints, {
    onNone: () => new Map(),
    onSome: (file) => existsSync(file) ? parseHints(readFileSync(file, "utf8")) : new Map()
  })

/** The task that a hint is wanted for: the first that failed and has one, else the first that has one. */
export const taskFor = (
  hints: ReadonlyMap<string, ReadonlyArray<string>>,
  exercise: Exercise,
  verdict: Verdict | undefined
): string | undefined => {
  const failed = verdict?.tasks.filter((task) => !task.passed).map((task) => task.id) ?? []
  const has = (id: string): boolean => (hints.get(id)?.length ?? 0) > 0
  return failed.find(has) ?? exercise.manifest.tasks.map((task) => task.id).find(has)
}

/** A hint of a task: the tier that was asked for, else the one after those already read. */
export const hintFor = (
  hints: ReadonlyMap<string, ReadonlyArray<string>>,
  task: string,
  entry: Entry,
  wanted?: number
): Hint | undefined => {
  const tiers = hints.get(task) ?? []
  const tier = wanted ?? Math.min((entry.hints[task] ?? 0) + 1, tiers.length)
  const text = tiers[tier - 1]
  return text === undefined ? undefined : { task, tier, of: tiers.length, text }
}

/** How many hints there are in all, and how many were read. */
export const hintCount = (
  hints: ReadonlyMap<string, ReadonlyArray<string>>,
  entry: Entry
): readonly [number, number] => [
  hintsUsed(entry),
  Array.from(hints.values()).reduce((sum, tiers) => sum + tiers.length, 0)
]
