/** Predictions, each sealed with what was said before it. */
import { createHash } from "node:crypto"
import { withEntry } from "./changes.ts"
import type { Progress, Said } from "./model.ts"

const sealOf = (about: string, { at, said }: Said, before: string): string =>
  createHash("sha256")
    .update(JSON.stringify([about, at, Object.entries(said).sort(([one], [other]) => one < other ? -1 : 1), before]))
    .digest("hex")

/**
 * Adds a prediction, with its seal. What was said before stays as it is.
 *
 * @category combinators
 * @since 0.1.0
 */
export const predicted = (id: string, { at, said }: Said) =>
  withEntry(id, (entry) => {
    const seal = sealOf(id, { at, said }, entry.predictions.at(-1)?.seal ?? "")
    return { ...entry, failures: 0, predictions: [...entry.predictions, { at, said, seal }] }
  })

/**
 * Notes about how much the prediction of a moment was right. Where that is known already it changes nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const compared = (id: string, at: string, result: { readonly right: number; readonly of: number }) =>
  withEntry(id, (entry) => ({
    ...entry,
    predictions: entry.predictions.map((one) => one.at === at && one.result === undefined ? { ...one, result } : one)
  }))

/**
 * Keeps the prediction of a lesson, with its seal. A lesson has one: a second one changes nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const predictedIn = (lesson: string, { at, said }: Said) => (progress: Progress): Progress =>
  progress.lessons[lesson] !== undefined ? progress : {
    ...progress,
    lessons: { ...progress.lessons, [lesson]: { at, said, seal: sealOf(lesson, { at, said }, "") } }
  }

/**
 * What was predicted and changed in the file afterwards: ids of exercises, and folders of lessons. A seal that fits does not
 * prove anything about somebody who makes it anew: it is their own file.
 *
 * @category getters
 * @since 0.1.0
 */
export const brokenSeals = ({ entries, lessons }: Progress): ReadonlyArray<string> => [
  ...Array.from(entries).filter(([id, { predictions }]) =>
    predictions.some((one, index) => one.seal !== sealOf(id, one, predictions[index - 1]?.seal ?? ""))
  ).map(([id]) => id),
  ...Object.entries(lessons).filter(([name, one]) => one.seal !== sealOf(name, one, "")).map(([name]) => name)
]
