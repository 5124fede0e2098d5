/** Lines of text for a terminal: wrapping, columns, bars and colour. */
import { stripVTControlCharacters } from "node:util"
import type { Messages } from "../messages/Messages.ts"

/** How text may look, and in which language it is. */
export interface Look {
  readonly words: Messages
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

/** What a program printed, as lines that cannot move the cursor. */
export const printedLines = (text: string): Array<string> =>
  stripVTControlCharacters(text).trimEnd().split(/\r?\n/).map((line) =>
    // oxlint-disable-next-line no-control-regex
    line.replaceAll("\t", "  ").replaceAll(/[\u0000-\u001f\u007f]/g, "")
  )

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

/** A line of code in pieces that fit a width: nothing is left out, and no space is moved. */
export const pieces = (line: string, width: number): Array<string> => {
  const characters = Array.from(line)
  const starts = Array.from({ length: Math.max(1, Math.ceil(characters.length / width)) }, (_, index) => index * width)
  return starts.map((start) => characters.slice(start, start + width).join(""))
}

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
export const fit = (
  lines: ReadonlyArray<string>,
  rows: number,
  keepBelow: number,
  words: Messages
): ReadonlyArray<string> => {
  if (lines.length <= rows) return lines
  const tail = lines.slice(lines.length - keepBelow)
  const room = Math.max(1, rows - tail.length - 1)
  const left = lines.length - tail.length - room
  return [...lines.slice(0, room), ` … ${words.moreLines(left)}`, ...tail]
}
