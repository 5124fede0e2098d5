/** The sentences of the catalogue, as texts to look for. */
import { languages } from "../../src/cli/messages/Messages.ts"

type Leaf = readonly [key: string, text: string]

/** Every text of a language; what is put into a sentence is a mark that no sentence has. */
const leaves = (value: unknown, key = ""): ReadonlyArray<Leaf> => {
  if (typeof value === "string") return [[key, value]]
  if (typeof value === "function") {
    // A list where a sentence names several things, and a number or a word everywhere else.
    const said = (argument: unknown): string => String(Reflect.apply(value, undefined, [argument, "¤", "¤", "¤", "¤"]))
    try {
      return [[key, said("¤")]]
    } catch {
      return [[key, String(Reflect.apply(value, undefined, ["¤", ["¤", "¤"]]))]]
    }
  }
  return Object.entries(value as object).flatMap(([name, one]) => leaves(one, key === "" ? name : `${key}.${name}`))
}

const listFirst = new Set(["packagesMissing"])
/** The texts of a language, by their keys. */
export const textsOf = (language: object): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(language).flatMap(([key, value]) =>
      listFirst.has(key) && typeof value === "function"
        ? [[key, String(Reflect.apply(value, undefined, [["¤", "¤"]]))] as const]
        : leaves(value, key)
    )
  )

/** The parts of a sentence that are words, and not what was put into it. */
export const fragments = (text: string): ReadonlyArray<string> =>
  text.split(/¤|`[^`]*`|\n/).map((part) => part.trim()).filter((part) => /\p{L}{4}/u.test(part))

/** What is said in English and in no other language. */
export const english = (): ReadonlyArray<string> => {
  const other = [...textsOf(languages.de).values()].join("\n")
  return [...new Set([...textsOf(languages.en).values()].flatMap(fragments))].filter((part) => !other.includes(part))
}

/** Whether a text says something, as words of its own and not inside a path. */
export const says = (text: string, words: string): boolean =>
  new RegExp(`(?<![\\w./-])${words.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")}(?![\\w/-])`).test(
    text.replaceAll(/\s+/g, " ")
  )
