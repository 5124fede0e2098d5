/** A story as lines for a terminal. */
import type { Line, Story } from "../Story.ts"
import { lines } from "./storyLines.ts"

// Names come from other processes: control characters in them could move the cursor.
const printable = (text: string): string => text.replace(/\p{C}/gu, "?")

const fit = (text: string, width: number): string => {
  const characters = Array.from(printable(text))
  return characters.length <= width
    ? characters.join("") + " ".repeat(width - characters.length)
    : characters.slice(0, width - 1).join("") + "…"
}

const millis = (value: number): string => value >= 1000 ? value.toFixed(0) : value.toFixed(value >= 100 ? 1 : 2)

const codes = { part: "1", stage: "2", step: "0" } as const

const bar = (line: Line, total: number, width: number): string => {
  const perMilli = total === 0 ? 0 : width / total
  const from = Math.min(width - 1, Math.max(0, Math.floor(line.startMillis * perMilli)))
  const length = Math.min(width - from, Math.round(line.durationMillis * perMilli))
  return " ".repeat(from) + (length === 0 ? "▏" : "█".repeat(length))
}

export const renderStory = (
  story: Story,
  options: { readonly width: number; readonly color: boolean }
): string => {
  const width = Math.min(300, Math.max(60, Math.floor(options.width) || 60))
  const all = lines(story)
  const timeWidth = 9
  const outcomeWidth = Math.min(20, Math.max(7, ...all.map(({ outcome }) => outcome.length)))
  const barWidth = width >= 100 ? Math.floor(width / 4) : 0
  const whatWidth = width - 2 * timeWidth - outcomeWidth - 3 - (barWidth === 0 ? 0 : barWidth + 1)
  const paint = (code: string, text: string) => options.color ? `\u001b[${code}m${text}\u001b[0m` : text
  const rows = all.map((line) => {
    const text = `${millis(line.startMillis).padStart(timeWidth)} ` +
      `${fit("  ".repeat(line.depth) + line.what, whatWidth)} ` +
      `${fit(line.outcome, outcomeWidth)} ${millis(line.durationMillis).padStart(timeWidth)}`
    const drawn = barWidth === 0 ? "" : ` ${bar(line, story.durationMillis, barWidth)}`
    return paint(line.failed ? "31" : codes[line.kind], `${text}${drawn}`.trimEnd())
  })
  const heading = `${"at ms".padStart(timeWidth)} ${fit("what", whatWidth)} ${fit("outcome", outcomeWidth)} ` +
    "took ms".padStart(timeWidth)
  return [paint("1", heading), ...rows].join("\n")
}
