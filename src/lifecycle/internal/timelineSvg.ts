import * as Stage from "../Stage.ts"
import { type Drawing, millis, notes, ownerOf, summary } from "./timelineRow.ts"

const rowHeight = 22
const top = 52
const barLeft = 330
const barWidth = 460
const width = 900

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\"": "&quot;",
  "'": "&#39;"
}

// XML 1.0 has no way to write most control characters, not even escaped.
const xml = (text: string): string =>
  text.replace(/\p{C}/gu, "?").replace(/[&<>"']/g, (character) => escapes[character] ?? character)

const short = (text: string, length: number): string =>
  text.length <= length ? text : `${Array.from(text).slice(0, length - 1).join("")}…`

const round = (value: number): number => Math.round(value * 100) / 100

/** Client, network and doors, server, answer: dark enough on white for text and bars alike. */
const colorOf = (number: number): string =>
  number <= 4 ? "#1f6f9c" : number <= 7 ? "#7a4a9c" : number <= 14 ? "#2f7a3d" : "#9c5a1f"

export const renderSvg = (drawing: Drawing & { readonly title: string }): string => {
  const height = top + drawing.rows.length * rowHeight + 36
  const perMilli = drawing.total === 0 ? 0 : barWidth / drawing.total
  const rows = drawing.rows.map((row, index) => {
    const y = top + index * rowHeight
    const note = notes(row)
    const owner = ownerOf(row)
    const bars = row.entries.map((entry) => {
      const x = barLeft + Math.min(barWidth - 1, Math.max(0, (entry.startMillis - drawing.start) * perMilli))
      const length = Math.min(barLeft + barWidth - x, Math.max(1, entry.durationMillis * perMilli))
      return `<rect x="${round(x)}" y="${y - 12}" width="${round(length)}" height="14" fill="${colorOf(row.number)}">` +
        `<title>${xml(`${row.stage} ${entry.name ?? owner}: ${millis(entry.durationMillis)} ms`)}</title></rect>`
    })
    const time = row.busyMillis === undefined
      ? `<text x="${barLeft}" y="${y}" fill="#555">${xml(short(note, 80))}</text>`
      : `<text x="${width - 16}" y="${y}" text-anchor="end">${millis(row.busyMillis)} ms</text>`
    const aside = `<title>${xml(`Owner: ${Stage.get(row.stage).owner}${note === "" ? "" : `. ${note}`}`)}</title>`
    return `<g>${aside}<text x="16" y="${y}">${row.number}. ${row.stage}</text>` +
      `<text x="150" y="${y}" fill="#555">${xml(short(owner, 28))}</text>${bars.join("")}${time}</g>`
  })
  const spoken = drawing.rows.map((row) =>
    `${row.number} ${row.stage}: ${row.busyMillis === undefined ? notes(row) : `${millis(row.busyMillis)} ms`}`
  ).join("; ")
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img"` +
    ` aria-labelledby="timeline-title timeline-desc" font-family="system-ui, sans-serif" font-size="13" fill="#222">`,
    `<title id="timeline-title">${xml(drawing.title)}</title>`,
    `<desc id="timeline-desc">${xml(`${summary(drawing)}. ${spoken}`)}</desc>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="24" font-size="15" font-weight="bold">${xml(drawing.title)}</text>`,
    ...rows,
    `<text x="16" y="${height - 14}">${xml(summary(drawing))}</text>`,
    "</svg>"
  ].join("\n")
}
