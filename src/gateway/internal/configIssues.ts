/** What a schema found wrong with a configuration, in words for who wrote it. */
import { type SchemaAST, SchemaIssue } from "effect"

export interface Problem {
  readonly path: string
  readonly message: string
}

export const pathOf = (path: ReadonlyArray<PropertyKey>): string =>
  path.map((part, index) =>
    typeof part === "number"
      ? `[${part}]`
      : /^[A-Za-z_$][\w$]*$/.test(String(part))
      ? index === 0 ? String(part) : `.${String(part)}`
      : `[${JSON.stringify(String(part))}]`
  ).join("")

const fieldsOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  ast._tag === "Objects" ? ast.propertySignatures.map(({ name }) => String(name)) : []

const format = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    if (issue._tag === "MissingKey") return "It is missing"
    if (issue._tag !== "UnexpectedKey") return SchemaIssue.defaultLeafHook(issue)
    const fields = fieldsOf(issue.ast)
    return fields.length === 0 ? "There is no such field" : `There is no such field; there are: ${fields.join(", ")}`
  }
})

const at = (input: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>(
    (value, part) => typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined,
    input
  )

/** A key may stand in a configuration, and addresses with a password: only what cannot be one is shown. */
const shown = (value: unknown): string => {
  if (Array.isArray(value)) return "an array"
  if (typeof value === "object" && value !== null) return "an object"
  if (typeof value !== "string") return String(value)
  return value.length > 60 || /-----BEGIN|\/\//.test(value) ? "a string" : JSON.stringify(value)
}

export const problemsOf = (issue: SchemaIssue.Issue, input: unknown): ReadonlyArray<Problem> =>
  format(issue).issues.map(({ message, path }) => {
    const parts = (path ?? []).map((part) => typeof part === "object" ? part.key : part)
    const value = at(input, parts)
    return {
      path: pathOf(parts),
      message: message.startsWith("Expected") && value !== undefined ? `${message}, got ${shown(value)}` : message
    }
  })
