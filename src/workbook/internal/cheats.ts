/**
 * Puts a cheat into the stub of an exercise: what it does to the grader stays, and the exports become the exercise's own.
 * The stub scores nothing by itself, so any point is the cheat's.
 */
import type { Parsed } from "./mutations.ts"
import { child, children, declared, isNode, nameOf, type Node } from "./sourceRules.ts"

const bodyOf = (program: Node): Array<Node> => Array.isArray(program["body"]) ? program["body"].filter(isNode) : []

const isExport = (statement: Node): boolean => statement.type.startsWith("Export")
const isTypeOnly = (statement: Node): boolean =>
  /^TS(Interface|TypeAlias)Declaration$/.test(child(statement, "declaration")?.type ?? "")

/** The one name that all constants are initialised with, where it is the same for all of them. */
const answerOf = (statements: ReadonlyArray<Node>): string | undefined => {
  const values = statements.filter(isExport).flatMap((statement) => {
    const declaration = child(statement, "declaration")
    return declaration?.type === "VariableDeclaration"
      ? children(declaration).map((declarator) => nameOf(child(declarator, "init")))
      : [undefined]
  })
  return values.length > 0 && values.every((value) => value === values[0]) ? values[0] : undefined
}

/** What a cheat imports, without the names that the stub has already. */
const importOf = (statement: Node, text: string, taken: ReadonlySet<string>): string => {
  const kept = children(statement).filter((one) => one.type !== "Literal")
    .filter((one) => !taken.has(nameOf(child(one, "local")) ?? ""))
  const source = child(statement, "source")
  const from = source === undefined ? "" : text.slice(source.start, source.end)
  const slice = (node: Node): string => text.slice(node.start, node.end)
  const own = kept.filter((one) => one.type !== "ImportSpecifier").map(slice)
  const named = kept.filter((one) => one.type === "ImportSpecifier").map(slice)
  const parts = [...own, ...(named.length > 0 ? [`{ ${named.join(", ")} }`] : [])]
  return parts.length > 0 ? `import ${parts.join(", ")} from ${from}` : ""
}

/** A cheat as an answer to an exercise. */
export interface AdaptedCheat {
  readonly text: string
  /** Whether it cheats by what it exports, so that it is another one in each exercise. */
  readonly answers: boolean
}

/** The cheat as an answer to an exercise; `undefined` where nothing of it is left beside its exports. */
export const cheatIn = (cheat: Parsed, stub: Parsed): AdaptedCheat | undefined => {
  const body = bodyOf(cheat.program)
  const slice = (parsed: Parsed, node: Node): string => parsed.text.slice(node.start, node.end)
  const names = bodyOf(stub.program).filter((one) => isExport(one) && !isTypeOnly(one)).flatMap(declared)
  const imports = body.filter((one) => one.type === "ImportDeclaration")
  const rest = body.filter((one) => one.type !== "ImportDeclaration" && !isExport(one))
  const answer = answerOf(body)
  if (answer !== undefined && !names.includes(answer)) {
    const lines = [...imports, ...rest].map((one) => slice(cheat, one))
    const exported = names.map((name) => `export const ${name} = ${answer}`)
    return { text: ["// @ts-nocheck", ...lines, ...exported, ""].join("\n"), answers: true }
  }
  // It takes its exports from somewhere else: those of the exercise come from there too.
  const lends = body.filter((one) => one.type === "ExportAllDeclaration")
  if (lends.length > 0) return { text: cheat.text, answers: true }
  const borrowed = body.filter(isExport).flatMap((one) => {
    const declaration = child(one, "declaration")
    return declaration?.type === "VariableDeclaration"
      ? children(declaration).flatMap((declarator) => {
        const init = child(declarator, "init")
        return init?.type === "AwaitExpression" ? [slice(cheat, init)] : []
      })
      : []
  })
  if (borrowed[0] !== undefined) {
    return { text: `// @ts-nocheck\nexport const { ${names.join(", ")} } = ${borrowed[0]}\n`, answers: true }
  }
  const taken = new Set(bodyOf(stub.program).flatMap(declared))
  const acts = rest.filter((one) => {
    const own = declared(one)
    if (own.length === 0) return !slice(cheat, one).startsWith("void [")
    // What only the removed exports used is left out with them.
    return rest.some((other) =>
      other !== one && own.some((name) => new RegExp(`\\b${name}\\b`).test(slice(cheat, other)))
    )
  })
  if (acts.length === 0) return undefined
  const lines = [
    "// @ts-nocheck",
    ...imports.map((one) => importOf(one, cheat.text, taken)),
    ...acts.map((one) => slice(cheat, one)),
    stub.text
  ]
  return { text: lines.join("\n"), answers: false }
}
