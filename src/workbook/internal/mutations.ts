/**
 * Small mistakes made on purpose in a solution, read from its syntax tree: one change a copy.
 *
 * Only what the learner writes is changed, so statements that the stub has already stay as they are. The name of a change
 * says where it is and what it does, and stays the same when lines move.
 */
import { child, isNode, isType, memberName, nameOf, type Node, textOf } from "./sourceRules.ts"

/** A solution with one change. */
export interface Mutation {
  readonly name: string
  readonly text: string
}

/** A text with its tree. */
export interface Parsed {
  readonly text: string
  readonly program: Node
}

interface Change {
  readonly says: string
  readonly edits: ReadonlyArray<{ readonly start: number; readonly end: number; readonly text: string }>
}

const comparisons: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "===": "!==",
  "!==": "==="
}

const duration = /^(\d+(?:\.\d+)?) (?:nano|micro|milli|second|minute|hour|day|week)s?$/
const limits = /^(?:timeout\w*|within)$/
const provides = /^provide/

const bodyOf = (program: Node): Array<Node> => Array.isArray(program["body"]) ? program["body"].filter(isNode) : []
const argumentsOf = (node: Node): Array<Node> =>
  Array.isArray(node["arguments"]) ? node["arguments"].filter(isNode) : []
const squeezed = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** A piece of the program, short enough to stand in a sentence. */
const quoted = (text: string): string => {
  const line = squeezed(text)
  return line.length > 64 ? `${line.slice(0, 61)}...` : line
}

const isMainBlock = (statement: Node): boolean =>
  statement.type === "IfStatement" && child(child(statement, "test"), "object")?.type === "MetaProperty"

/** A number whose first digit is one more: a millisecond on top of a second is a change that nobody has to notice. */
const oneMore = (value: number): number =>
  Number.isInteger(value) && value >= 10 ? value + 10 ** Math.floor(Math.log10(value)) : value + 1

const changesAt = (node: Node, text: string): Array<Change> => {
  const source = (part: { readonly start: number; readonly end: number }): string => text.slice(part.start, part.end)
  const changes: Array<Change> = []

  if (node.type === "BinaryExpression") {
    const [left, right] = [child(node, "left"), child(node, "right")]
    const operator = String(node["operator"])
    const other = comparisons[operator]
    if (left !== undefined && right !== undefined && other !== undefined) {
      const at = left.end + text.slice(left.end, right.start).indexOf(operator)
      changes.push({
        says: `${operator} becomes ${other} in ${quoted(source(node))}`,
        edits: [{ start: at, end: at + operator.length, text: other }]
      })
    }
  }

  if (node.type === "Literal") {
    const value = node["value"]
    const count = duration.exec(textOf(node) ?? "")?.[1]
    const next = typeof value === "number"
      ? String(oneMore(value))
      : count === undefined
      ? undefined
      : source(node).replace(count, String(oneMore(Number(count))))
    if (next !== undefined) {
      changes.push({
        says: `${source(node)} becomes ${next}`,
        edits: [{ start: node.start, end: node.end, text: next }]
      })
    }
  }

  if (node.type !== "CallExpression") return changes
  const callee = child(node, "callee")
  const given = argumentsOf(node)
  const object = child(callee, "object")
  const piped = memberName(callee) === "pipe" && object !== undefined
  const stages = piped ? given : nameOf(callee) === "pipe" ? given.slice(1) : []

  stages.forEach((stage, index) => {
    const before = index > 0 ? stages[index - 1] : piped ? undefined : given[0]
    const after = stages[index + 1]
    const edit = before !== undefined
      ? { start: before.end, end: stage.end, text: "" }
      : after !== undefined
      ? { start: stage.start, end: after.start, text: "" }
      : object !== undefined
      ? { start: object.end, end: node.end, text: "" }
      : undefined
    if (edit !== undefined) changes.push({ says: `without ${quoted(source(stage))}`, edits: [edit] })
  })

  const [one, other] = stages.filter((stage) => provides.test(memberName(child(stage, "callee")) ?? ""))
  if (one !== undefined && other !== undefined) {
    changes.push({
      says: `${quoted(source(other))} before ${quoted(source(one))}`,
      edits: [
        { start: one.start, end: one.end, text: source(other) },
        { start: other.start, end: other.end, text: source(one) }
      ]
    })
  }

  const [first, second] = given
  if (limits.test(memberName(callee) ?? "") && first !== undefined && second !== undefined) {
    changes.push({
      says: `without the limit of ${quoted(source(node))}`,
      edits: [{ start: node.start, end: node.end, text: source(first) }]
    })
  }
  if (memberName(callee) === "exponential" && callee !== undefined && first !== undefined) {
    const space = `${nameOf(object) === "Schedule" ? "Schedule.spaced" : `${object ? source(object) : ""}.constant`}`
    const base = first.type === "ObjectExpression" ? baseOf(first, source) : source(first)
    if (base !== undefined) {
      changes.push({
        says: `${quoted(source(node))} becomes ${space}`,
        edits: [{ start: node.start, end: node.end, text: `${space}(${base})` }]
      })
    }
  }
  return changes
}

/** What `base` is in `{ base: ... }`. */
const baseOf = (options: Node, source: (part: Node) => string): string | undefined => {
  const properties = Array.isArray(options["properties"]) ? options["properties"].filter(isNode) : []
  const value = child(properties.find((property) => nameOf(child(property, "key")) === "base"), "value")
  return value && source(value)
}

/** The name of what a statement declares, to find a change by. */
const placeOf = (statement: Node): string => {
  const declaration = child(statement, "declaration") ?? statement
  const [declarator] = Array.isArray(declaration["declarations"]) ? declaration["declarations"].filter(isNode) : []
  return nameOf(child(declarator ?? declaration, "id")) ?? "the module"
}

/** All small mistakes in what the learner writes. */
export const mutationsOf = (solution: Parsed, stub: Parsed): Array<Mutation> => {
  const known = new Set(bodyOf(stub.program).map((one) => squeezed(stub.text.slice(one.start, one.end))))
  const mutations: Array<Mutation> = []
  const seen = new Map<string, number>()
  for (const statement of bodyOf(solution.program)) {
    if (known.has(squeezed(solution.text.slice(statement.start, statement.end)))) continue
    if (statement.type === "ImportDeclaration" || isMainBlock(statement)) continue
    const visit = (node: Node): void => {
      if (isType(node)) return
      for (const { edits, says } of changesAt(node, solution.text)) {
        const plain = `${placeOf(statement)}: ${says}`
        const count = (seen.get(plain) ?? 0) + 1
        seen.set(plain, count)
        const text = [...edits].sort((a, b) => b.start - a.start)
          .reduce((all, edit) => all.slice(0, edit.start) + edit.text + all.slice(edit.end), solution.text)
        mutations.push({ name: count === 1 ? plain : `${plain} (${count})`, text })
      }
      for (const [key, value] of Object.entries(node)) {
        if (key === "key" && node["computed"] !== true) continue
        for (const inner of Array.isArray(value) ? value : [value]) if (isNode(inner)) visit(inner)
      }
    }
    visit(statement)
  }
  return mutations
}
