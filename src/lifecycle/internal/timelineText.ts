import { type Drawing, millis, notes, ownerOf, type Row, summary } from "./timelineRow.ts"

const numberWidth = 2
const stageWidth = 12
const timeWidth = 10
const minimumWidth = 60
const maximumWidth = 300

// What a terminal shows must not come from a header: control characters could move its cursor.
const printable = (text: string): string => text.replace(/\p{C}/gu, "?")

const fit = (text: string, width: number): string => {
  const characters = Array.from(printable(text))
  return characters.length <= width
    ? characters.join("") + " ".repeat(width - characters.length)
    : characters.slice(0, width - 1).join("") + "…"
}

/** Which columns a row fills: a bar begins where its stage began and is never invisible. */
const bar = (row: Row, drawing: Drawing, width: number): string => {
  const cells = Array.from({ length: width }, () => " ")
  const perMilli = drawing.total === 0 ? 0 : width / drawing.total
  for (const entry of row.entries) {
    const from = Math.min(width - 1, Math.max(0, Math.floor((entry.startMillis - drawing.start) * perMilli)))
    const length = Math.round(entry.durationMillis * perMilli)
    if (length === 0) cells[from] = cells[from] === "█" ? "█" : "▏"
    for (let i = from; i < Math.min(width, from + length); i++) cells[i] = "█"
  }
  return cells.join("")
}

const ansi = (code: string, text: string, color: boolean): string => color ? `\u001b[${code}m${text}\u001b[0m` : text

const colorOf = (row: Row): string => row.number <= 4 ? "36" : row.number <= 7 ? "35" : row.number <= 14 ? "32" : "33"

export const renderWaterfall = (
  drawing: Drawing & { readonly width: number; readonly color: boolean }
): string => {
  const width = Math.min(maximumWidth, Math.max(minimumWidth, Math.floor(drawing.width) || minimumWidth))
  const ownerWidth = Math.min(24, Math.floor(width / 4))
  const barWidth = width - numberWidth - stageWidth - ownerWidth - timeWidth - 4
  const left = (row: Row): string =>
    `${String(row.number).padStart(numberWidth)} ${fit(row.stage, stageWidth)} ${fit(ownerOf(row), ownerWidth)} `
  const lines = drawing.rows.map((row) => {
    const note = notes(row)
    if (row.busyMillis === undefined) {
      return left(row) + ansi("2", fit(note, barWidth + 1 + timeWidth).trimEnd(), drawing.color)
    }
    const time = ` ${millis(row.busyMillis).padStart(timeWidth)}`
    const drawn = bar(row, drawing, barWidth)
    // A note takes the free part behind the bar, where there is room for it.
    const used = drawn.trimEnd().length
    const room = barWidth - used - 1
    const text = note !== "" && room > 8 ? ` ${fit(note, room)}` : " ".repeat(barWidth - used)
    return left(row) + ansi(colorOf(row), drawn.slice(0, used), drawing.color) + ansi("2", text, drawing.color) + time
  })
  const heading = `${"#".padStart(numberWidth)} ${fit("stage", stageWidth)} ${fit("who", ownerWidth)} ` +
    `${fit(`0 ms to ${millis(drawing.total)} ms`, barWidth)} ${"ms".padStart(timeWidth)}`
  return [ansi("1", heading, drawing.color), ...lines, fit(summary(drawing), width).trimEnd()].join("\n")
}
