/**
 * What a learner's file may name: read from its syntax tree, before any of it runs.
 *
 * The rules keep honest work inside the exercise and stop the plain ways to reach the grader. What they miss meets the
 * locks that the runner sets before the file is loaded.
 */
import { dirname, resolve } from "node:path"
import type { Refusal } from "./protocol.ts"

/** A node of the tree, as far as the rules look at one. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

/** One place where a file names another module. */
export interface Imported {
  readonly specifier: string
  /** The characters of the specifier, quotes included. */
  readonly start: number
  readonly end: number
}

/** What the rules need to know about an exercise. */
export interface Rules {
  /** A path that the file's relative imports start from. */
  readonly folder: string
  readonly given: ReadonlyArray<string>
  readonly imports: ReadonlyArray<string>
}

const hiddenGlobals = new Set([
  "process",
  "globalThis",
  "global",
  "require",
  "eval",
  "Function",
  "WebAssembly",
  "Worker",
  "BroadcastChannel"
])

const builtIns = new Set(
  ("Object Array Function Promise Map Set WeakMap WeakSet String Number Boolean Symbol RegExp Date Error JSON Math Reflect "
    + "Proxy Iterator console performance structuredClone queueMicrotask setTimeout").split(" ")
)

const changers = new Set(["assign", "defineProperty", "defineProperties", "setPrototypeOf", "set", "deleteProperty"])

/** Whether a value is a node of the tree. */
export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

/** The nodes right below a node. */
export const children = (node: Node): Array<Node> =>
  Object.values(node).flatMap((value) => Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [])

/** The node that a property holds. */
export const child = (node: Node | undefined, key: string): Node | undefined => {
  const value = node?.[key]
  return isNode(value) ? value : undefined
}

/** The name of an identifier. */
export const nameOf = (node: Node | undefined): string | undefined =>
  node?.type === "Identifier" && typeof node["name"] === "string" ? node["name"] : undefined

/** The text of a plain string. */
export const textOf = (node: Node | undefined): string | undefined =>
  node?.type === "Literal" && typeof node["value"] === "string" ? node["value"] : undefined

/** The name of `a.name` and of `a["name"]`. */
export const memberName = (node: Node | undefined): string | undefined =>
  node?.type !== "MemberExpression"
    ? undefined
    : node["computed"] === true
    ? textOf(child(node, "property"))
    : nameOf(child(node, "property"))

/** Whether a node is a type, which is gone when the program runs. */
export const isType = (node: Node): boolean =>
  node.type.startsWith("TS") && child(node, "expression") === undefined && node.type !== "TSEnumDeclaration"

/** The names that a pattern binds. */
const bound = (pattern: Node | undefined): Array<string> => {
  switch (pattern?.type) {
    case "Identifier":
      return [String(pattern["name"])]
    case "ObjectPattern":
    case "ArrayPattern":
      return children(pattern).flatMap(bound)
    case "Property":
      return bound(child(pattern, "value"))
    case "AssignmentPattern":
      return bound(child(pattern, "left"))
    case "RestElement":
      return bound(child(pattern, "argument"))
    default:
      return []
  }
}

/** The names that a statement declares. */
export const declared = (statement: Node): Array<string> => {
  switch (statement.type) {
    case "ExportNamedDeclaration":
    case "ExportDefaultDeclaration": {
      const inner = child(statement, "declaration")
      return inner === undefined ? [] : declared(inner)
    }
    case "ImportDeclaration":
      return children(statement).flatMap((specifier) => bound(child(specifier, "local")))
    case "VariableDeclaration":
      return children(statement).flatMap((declarator) => bound(child(declarator, "id")))
    case "FunctionDeclaration":
    case "ClassDeclaration":
      return bound(child(statement, "id"))
    default:
      return []
  }
}

/** The names that a node brings into scope for what stands inside it. */
const scopeOf = (node: Node): Array<string> => {
  if (/^(Program|BlockStatement|StaticBlock|For\w*Statement)$/.test(node.type)) return children(node).flatMap(declared)
  if (/Function/.test(node.type)) {
    const params = Array.isArray(node["params"]) ? node["params"].filter(isNode) : []
    return [...params.flatMap(bound), ...bound(child(node, "id"))]
  }
  return node.type === "CatchClause" ? bound(child(node, "param")) : []
}

/** Every module that a file names, and whether one is named by something other than plain text. */
export const importsOf = (program: Node): { readonly imports: Array<Imported>; readonly computed: Array<Node> } => {
  const imports: Array<Imported> = []
  const computed: Array<Node> = []
  const visit = (node: Node): void => {
    if (/^(Import|Export(Named|All))Declaration$|^ImportExpression$|^TSImportType$/.test(node.type)) {
      const source = child(node, "source")
      const specifier = textOf(source)
      if (source !== undefined && specifier !== undefined) {
        imports.push({ specifier, start: source.start, end: source.end })
      } else if (node.type === "ImportExpression") computed.push(node)
    }
    children(node).forEach(visit)
  }
  visit(program)
  return { imports, computed }
}

/** Puts other modules in the place of the imported ones; no line moves. */
export const rewriteImports = (
  text: string,
  imports: ReadonlyArray<Imported>,
  target: (specifier: string) => string
): string =>
  [...imports]
    .sort((one, other) => other.start - one.start)
    .reduce((all, { end, specifier, start }) => {
      const to = target(specifier)
      return to === specifier ? all : all.slice(0, start) + JSON.stringify(to) + all.slice(end)
    }, text)

const matches = (specifier: string, pattern: string): boolean =>
  pattern.endsWith("/*") ? specifier.startsWith(pattern.slice(0, -1)) : specifier === pattern

const importRefusal = (
  specifier: string,
  rules: Rules
): { readonly sentence: string; readonly cheating: boolean } | undefined => {
  const may = ["effect", "effect/*", "effect-lifecycle", "effect-lifecycle/*", ...rules.imports]
  if (/^\.{0,2}\//.test(specifier)) {
    if (rules.given.includes(resolve(rules.folder, specifier))) return undefined
    const answer = /(^|\/)(solution|exercise\.spec|mutants|alternatives|meta)\b/.test(specifier)
    return {
      sentence: answer
        ? `imports "${specifier}", which is the grader's. The answer has to be in this file.`
        : `imports "${specifier}", which is not part of this exercise. Keep the answer in this one file.`,
      cheating: answer
    }
  }
  if (/^effect-lifecycle\/(workbook|cli)\b/.test(specifier) || /^(@effect\/)?vitest(\/|$)/.test(specifier)) {
    return rules.imports.some((pattern) => matches(specifier, pattern))
      ? undefined
      : {
        sentence: `imports "${specifier}". The check brings its own test tools; an answer needs none.`,
        cheating: true
      }
  }
  if (may.some((pattern) => matches(specifier, pattern))) return undefined
  return {
    sentence: `imports "${specifier}". This exercise may import ${may.join(", ")}, and the files beside it.`,
    cheating: false
  }
}

/** Why a file may not run, in the order of its lines; empty when it may. */
export const refusalsOf = (text: string, program: Node, rules: Rules): Array<Refusal> => {
  const refusals: Array<Refusal> = []
  const refuse = (node: { readonly start: number }, sentence: string, cheating: boolean): void => {
    const line = text.slice(0, node.start).split("\n").length
    refusals.push({ line, sentence: `Line ${line} ${sentence}`, cheating })
  }

  const { computed, imports } = importsOf(program)
  for (const imported of imports) {
    const refusal = importRefusal(imported.specifier, rules)
    if (refusal !== undefined) refuse(imported, refusal.sentence, refusal.cheating)
  }
  for (const node of computed) refuse(node, "imports a module by a computed name. Write the name as plain text.", true)

  const visit = (node: Node, parent: Node | undefined, key: string, scope: ReadonlySet<string>): void => {
    if (isType(node)) return
    const names = scopeOf(node)
    const inside = names.length === 0 ? scope : new Set([...scope, ...names])
    const root = (target: Node | undefined): string | undefined => {
      const name = nameOf(target)
      return target?.type === "MemberExpression"
        ? root(child(target, "object"))
        : name !== undefined && builtIns.has(name) && !inside.has(name)
        ? name
        : undefined
    }
    const changed = (target: Node | undefined): void => {
      const name = target?.type === "MemberExpression" ? root(target) : undefined
      if (name !== undefined) {
        refuse(node, `changes \`${name}\`, which belongs to the language and to the grader.`, true)
      }
    }

    const name = nameOf(node)
    const isKey = (key === "property" || key === "key") && parent?.["computed"] !== true
    if (name?.startsWith("__vitest") === true || textOf(node)?.startsWith("__vitest") === true) {
      refuse(node, "reaches for the test runner.", true)
    } else if (name !== undefined && !isKey && !inside.has(name)) {
      if (hiddenGlobals.has(name)) {
        refuse(node, `uses \`${name}\`, which an exercise cannot use: what it needs is in Effect.`, false)
      }
    }
    if (memberName(node) === "__proto__") refuse(node, "reaches for a prototype (`__proto__`).", true)
    if (node.type === "AssignmentExpression") changed(child(node, "left"))
    if (node.type === "UpdateExpression") changed(child(node, "argument"))
    if (node.type === "UnaryExpression" && node["operator"] === "delete") changed(child(node, "argument"))
    if (node.type === "CallExpression" || node.type === "NewExpression") {
      const callee = child(node, "callee")
      const called = memberName(callee)
      if (called === "constructor") refuse(node, "makes code at run time through `constructor`.", true)
      const [first] = Array.isArray(node["arguments"]) ? node["arguments"].filter(isNode) : []
      if (called !== undefined && changers.has(called) && /^(Object|Reflect)$/.test(root(callee) ?? "")) {
        const target = root(first)
        if (target !== undefined) {
          refuse(node, `changes \`${target}\`, which belongs to the language and to the grader.`, true)
        }
      }
    }
    if (
      node.type === "MemberExpression" && child(node, "object")?.type === "MetaProperty" && memberName(node) !== "main"
    ) {
      refuse(node, "uses `import.meta` for something other than `import.meta.main`.", false)
    }

    for (const [childKey, value] of Object.entries(node)) {
      for (const inner of Array.isArray(value) ? value : [value]) {
        if (isNode(inner)) visit(inner, node, childKey, inside)
      }
    }
  }
  visit(program, undefined, "", new Set())
  return refusals.sort((one, other) => one.line - other.line)
}

/** Where a relative import of `file` leads. */
export const relativeTo = (file: string, specifier: string): string => resolve(dirname(file), specifier)
