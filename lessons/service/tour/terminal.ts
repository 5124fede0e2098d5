/** How the tour looks: plain text, and some colour where a person watches a terminal. */

export interface Terminal {
  readonly write: (text: string) => void
  /** Columns of a line, 80 to 100. */
  readonly width: number
  readonly color: boolean
}

/** Standard output. Colours only where it is a terminal that was not asked to do without. */
export const standard = (options: { readonly plain: boolean }): Terminal => ({
  write: (text) => process.stdout.write(text),
  width: Math.min(100, Math.max(80, process.stdout.columns ?? 100)),
  color: !options.plain && process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === "" &&
    process.env.TERM !== "dumb"
})

const codes = { bold: "1", dim: "2", good: "32", bad: "31" } as const

export const paint = (terminal: Terminal, style: keyof typeof codes, text: string): string =>
  terminal.color ? `\u001b[${codes[style]}m${text}\u001b[0m` : text

/** Text that came over the network may hold anything; what a terminal would obey does not get through. */
export const printable = (text: string): string => text.replace(/\p{C}/gu, "?")

/** Breaks text between words, each line behind `indent`, the first behind `first` where that is given. */
export const wrap = (text: string, width: number, indent = "", first = indent): string => {
  const lines: Array<string> = []
  let line = first
  let empty = true
  for (const word of printable(text).split(" ")) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line)
      line = indent
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line].join("\n")
}

/** Rows as columns, each as wide as its longest cell. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>, indent = ""): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) => indent + row.map((cell, column) => printable(cell).padEnd(widths[column] ?? 0)).join("  ").trimEnd())
    .join("\n")
}
