/** What both layers say of a truncation that cannot be. */
import type { StoredEvent } from "../EventStore.ts"
import { CannotTruncate, type Keeps } from "../Archive.ts"

/** As the function `truncate_stream` of the migrations numbers them, from 1. */
export type Problem = "noStream" | "empty" | "snapshot" | "summary" | "subscription" | "tag" | "letter"
export const problems: ReadonlyArray<Problem> = [
  "noStream",
  "empty",
  "snapshot",
  "summary",
  "subscription",
  "tag",
  "letter"
]

export const cannot = (
  stream: StoredEvent["stream"],
  before: number,
  keeps: Keeps,
  problem: Problem,
  detail: string
): CannotTruncate => {
  const wanted = "summary" in keeps ? `"${keeps.summary}"` : `fingerprint ${keeps.snapshot.fingerprint}`
  const reasons: { readonly [P in Problem]: string } = {
    noStream: "there is no such stream",
    empty: "it does not have that version, and an empty stream would forget its version",
    snapshot: `no snapshot of ${wanted} ends there or later; write one first`,
    summary: `version ${before} is a "${detail}", not the summary ${wanted}`,
    subscription: `subscription "${detail}" has not handled all of these events`,
    letter: `an event before it is a dead letter of the subscription "${detail}"; redeliver or discard it first`,
    tag: `an event before it has the tag "${detail}", and decisions over several streams count on it`
  }
  return new CannotTruncate({ category: stream.category, id: stream.id, before, reason: reasons[problem] })
}

export const invalidBefore = (stream: StoredEvent["stream"], before: number): CannotTruncate | undefined =>
  Number.isSafeInteger(before) && before >= 1 ? undefined : new CannotTruncate({
    category: stream.category,
    id: stream.id,
    before,
    reason: "a version is a whole number from 1"
  })
