/**
 * The shape of a Schema as JSON: its representation without annotations, names of definitions and the order of fields.
 * A definition stands where it is used. One that uses itself has a number instead, the same for all that unfold alike, so
 * that a recursive Schema has the shape of one that was annotated at its root.
 */
import { Schema } from "effect"

type Json = Schema.Json

/** What stands for the use of a recursive definition. */
type Use = (name: string) => Json

export const shapeOf = (schema: Schema.Top): Json => {
  const { references, representation } = Schema.toRepresentation(schema)

  const walk = (node: unknown, use: Use): Json => {
    if (Array.isArray(node)) return node.map((inner) => walk(inner, use))
    if (typeof node !== "object" || node === null || node instanceof RegExp) return leaf(node)
    const name = referenceOf(node)
    if (name !== undefined) return walk(references[name], use)
    return Object.fromEntries(
      Object.entries(node)
        .filter(([key]) => key !== "annotations")
        .map(([key, value]): [string, Json] => {
          // Whatever uses itself does so through one of these, so that everything else has an end.
          const again = key === "thunk" ? referenceOf(value) : undefined
          if (again !== undefined) return [key, use(again)]
          return [key, walk(key === "propertySignatures" ? byName(value) : value, use)]
        })
        .sort(([left], [right]) => left < right ? -1 : 1)
    )
  }

  const nodes = new Map<string, unknown>([["", representation]])
  const collect: Use = (name) => {
    if (nodes.has(name)) return null
    nodes.set(name, references[name])
    return walk(references[name], collect)
  }
  walk(representation, collect)
  const classes = classesOf(nodes, walk)

  const numbers = new Map<number, number>()
  const emit: Use = (name) => {
    const of = classes.get(name) ?? 0
    const known = numbers.get(of)
    if (known !== undefined) return { again: known }
    const number = numbers.size
    numbers.set(of, number)
    return { number, shape: walk(nodes.get(name), emit) }
  }
  return emit("")
}

/** Puts together what unfolds alike: all at first, then apart whatever differs, until nothing new does. */
const classesOf = (
  nodes: ReadonlyMap<string, unknown>,
  walk: (node: unknown, use: Use) => Json
): ReadonlyMap<string, number> => {
  let classes = new Map<string, number>()
  while (true) {
    const seen = new Map<string, number>()
    const next = new Map<string, number>()
    for (const [name, node] of nodes) {
      const text = JSON.stringify(walk(node, (used) => ({ class: classes.get(used) ?? 0 })))
      const known = seen.get(text) ?? seen.size
      seen.set(text, known)
      next.set(name, known)
    }
    if (new Set(classes.values()).size === seen.size) return next
    classes = next
  }
}

const referenceOf = (node: unknown): string | undefined =>
  typeof node === "object" && node !== null && "_tag" in node && node._tag === "Reference" && "$ref" in node
    ? String(node.$ref)
    : undefined

/** As text, whatever JSON has no form of. */
const leaf = (value: unknown): Json =>
  value === null || typeof value === "string" || typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value))
    ? value
    : `${typeof value} ${String(value)}`

const byName = (fields: unknown): unknown =>
  Array.isArray(fields)
    ? fields.toSorted((left: { readonly name: PropertyKey }, right: { readonly name: PropertyKey }) =>
      String(left.name) < String(right.name) ? -1 : 1
    )
    : fields
