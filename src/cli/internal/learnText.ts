/** Lines of text for a terminal: wrapping, columns, bars and colour. */
import { stripVTControlCharacters } from "node:util"

/** How text may look. */
export interface Look {
  readonly columns: number
  /** No colour, no bars, no cursor movement: words only. */
  readonly plain: boolean
}

/** What a part of the text means; colour only repeats what the words say. */
export type Tone = "good" | "bad" | "dim" | "strong" | "none"

const codes: Readonly<Record<Exclude<Tone, "none">, readonly [number, number]>> = {
  good: [32, 39],
  bad: [31, 39],
  dim: [2, 22],
  strong: [1, 22]
}

/** Colours a text, where colour is wanted. */
export const paint = (look: Look, tone: Tone, text: string): string => {
  if (look.plain || tone === "none" || text === "") return text
  const [on, off] = codes[tone]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

/** How many columns a text takes. */
export const widthOf = (text: string): number => Array.from(stripVTControlCharacters(text)).length

/** A text cut to a width, with a sign that it was cut. */
export const cut = (text: string, width: number): string => {
  const characters = Array.from(text)
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`
}

/** Breaks a text into lines of at most a width; a word that is longer is broken, too. */
export const wrap = (text: string, width: number): Array<string> =>
  text.split("\n").flatMap((paragraph) => {
    const indent = /^ */.exec(paragraph)?.[0].slice(0, Math.floor(width / 2)) ?? ""
    const lines: Array<string> = []
    let line = ""
    for (let word of paragraph.trim().split(/ +/)) {
      if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
        lines.push(line)
        line = ""
      }
      line = line === "" ? indent + word : `${line} ${word}`
      while (widthOf(line) > width) {
        const characters = Array.from(line)
        lines.push(characters.slice(0, width).join(""))
        word = characters.slice(width).join("")
        line = word
      }
    }
    return [...lines, line]
  })

/** Wrapped lines behind an indent. */
export const block = (text: string, indent: number, columns: number): Array<string> =>
  wrap(text, columns - indent).map((line) => line === "" ? "" : " ".repeat(indent) + line)

/** A line with one part at each end. */
export const ends = (left: string, right: string, columns: number): string => {
  const room = columns - widthOf(right) - 1
  const shown = widthOf(left) > room ? cut(left, room) : left
  return `${shown}${" ".repeat(columns - widthOf(shown) - widthOf(right))}${right}`
}

/** A bar of a width; the numbers always stand beside it. */
export const bar = (done: number, all: number, width: number): string => {
  const full = all === 0 ? 0 : Math.round((done / all) * width)
  return "▇".repeat(full) + "▁".repeat(width - full)
}

/** Makes lines fit a height: what is too much is left out below the given line, and that is said. */
export const fit = (lines: ReadonlyArray<string>, rows: number, keepBelow: number): ReadonlyArray<string> => {
  if (lines.length <= rows) return lines
  const tail = lines.slice(lines.length - keepBelow)
  const room = Math.max(1, rows - tail.length - 1)
  const left = lines.length - tail.length - room
  return [...lines.slice(0, room), ` … ${left} more lines: make the window higher, or use --plain`, ...tail]
}

/** "1 point", "2 points". */
export const many = (count: number, one: string, more = `${one}s`): string => `${count} ${count === 1 ? one : more}`
