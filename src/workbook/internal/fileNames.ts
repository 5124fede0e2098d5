/** Names of files for learners: safe everywhere, and no two alike, also where case does not count. Pure. */
import { createHash } from "node:crypto"

/** As long as leaves room for a mark and an ending in the 255 bytes of a name. */
const longest = 180

// Devices of Windows, whatever follows their name after a dot.
const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i

const bytes = (text: string): number => new TextEncoder().encode(text).length

const shortened = (name: string): string => {
  const chars = Array.from(name)
  while (bytes(chars.join("")) > longest) chars.pop()
  return chars.join("")
}

const safe = (learner: string): string => {
  const name = shortened(learner.normalize("NFC").replaceAll(/[^\p{L}\p{M}\p{N} ._()-]/gu, "_"))
    .replace(/^\.+/, "_").replace(device, "_$&").replace(/[. ]+$/, "_")
  return name === "" ? "_" : name
}

/** What a file system that ignores case, or how a letter is composed, takes for the same. */
const folded = (name: string): string => name.normalize("NFKC").toUpperCase().normalize("NFKC")

/**
 * A name for each learner: their own, with `_` for what not every system permits. All whose names would meet get a mark
 * that is computed from their own, so it is the same in each run and whoever else is there.
 */
export const fileNames = (learners: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  // As JSON, because UTF-8 has one replacement for all halves of a pair that stand alone.
  const markOf = (learner: string) => createHash("sha256").update(JSON.stringify(learner)).digest("hex")
  const name = (learner: string, marks: number): string =>
    marks === 0 ? safe(learner) : `${safe(learner)}-${markOf(learner).slice(0, marks)}`
  let names = new Map(learners.map((learner) => [learner, name(learner, 0)]))
  for (const marks of [6, 16, 64]) {
    const groups = Map.groupBy(names, ([, name]) => folded(name))
    names = new Map(
      [...groups.values()].flatMap((group) =>
        group.length === 1 ? group : group.map(([learner]): [string, string] => [learner, name(learner, marks)])
      )
    )
  }
  return names
}
