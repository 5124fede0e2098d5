/** What a node looks like. */
export type Shape = "box" | "double" | "pill" | "round" | "slanted" | "drum" | "hexagon"

const shapes: Readonly<Record<Shape, readonly [open: string, close: string]>> = {
  box: ["[", "]"],
  double: ["[[", "]]"],
  pill: ["([", "])"],
  round: ["(", ")"],
  slanted: ["[/", "/]"],
  drum: ["[(", ")]"],
  hexagon: ["{{", "}}"]
}

/**
 * Text that Mermaid shows as it is: everything that means something in its grammar, in its markdown or in HTML becomes an
 * entity, and white space one space.
 */
export const escape = (text: string): string => {
  const line = text.toWellFormed().replace(/\s+/gu, " ").trim()
  // An empty string is no text in its grammar.
  return line === "" ?
    " " :
    line.replace(meaningful, (found) => found.replace(/\D/gu, (character) => `#${character.codePointAt(0)};`))
}

/** A number with a dot or a hyphen begins a list; an underscore inside a word is only that. */
const meaningful = /^(?:\d+\.|-)(?= )|[^\p{L}\p{M}\p{N} .,/@()_-]|_(?![\p{L}\p{N}])|(?<![\p{L}\p{N}])_/gu

/** A flow chart that is written down as it grows. Nodes and groups are known by keys, and stand in the order they came in. */
export interface FlowChart {
  /** The id of the node with this key; made with the label when there is none yet. */
  readonly node: (key: string, label: string, shape: Shape) => string
  readonly edge: (from: string, to: string, options?: { readonly label?: string; readonly dotted?: boolean }) => void
  /** The id of a group of what `draw` makes. */
  readonly group: <A>(title: string, draw: () => A) => { readonly id: string; readonly drawn: A }
  readonly text: () => string
}

export const flowChart = (direction: "LR" | "TB"): FlowChart => {
  const lines: Array<string> = [`flowchart ${direction}`]
  const nodes = new Map<string, string>()
  // Edges stand last: one inside a group would draw its nodes into it.
  const edges = new Set<string>()
  let groups = 0
  let indent = "  "
  return {
    node: (key, label, shape) => {
      const known = nodes.get(key)
      if (known !== undefined) return known
      const id = `n${nodes.size + 1}`
      nodes.set(key, id)
      const [open, close] = shapes[shape]
      lines.push(`${indent}${id}${open}"${escape(label)}"${close}`)
      return id
    },
    edge: (from, to, { dotted = false, label } = {}) => {
      edges.add(`  ${from} ${dotted ? "-.->" : "-->"}${label === undefined ? "" : `|"${escape(label)}"|`} ${to}`)
    },
    group: (title, draw) => {
      const id = `g${++groups}`
      lines.push(`${indent}subgraph ${id}["${escape(title)}"]`)
      indent += "  "
      const drawn = draw()
      indent = indent.slice(2)
      lines.push(`${indent}end`)
      return { id, drawn }
    },
    text: () => [...lines, ...edges].join("\n")
  }
}
