/**
 * Finds the examples of the documentation, and writes each to a module of its own that can be run and type-checked.
 *
 * An example is a `ts` fence below `@example` in a doc comment of `src/`, or a `ts` fence in a README or a lesson. The info
 * string `ts no-run` keeps a fence of a README or lesson out. A module keeps the line numbers of the text it comes from.
 */
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Inside the package, so that an example can import the library by its name. It tells git to ignore it. */
export const folder = join(root, "test/docs/.generated")

export interface Fence {
  /** Path from the root, with forward slashes. */
  readonly file: string
  /** Line of the first line of code. */
  readonly line: number
  readonly code: string
}

const fencesOf = (file: string, lines: ReadonlyArray<string>): Array<Fence> => {
  const found: Array<Fence> = []
  let open:
    | { readonly indent: string; readonly marks: string; readonly line: number; readonly runs: boolean }
    | undefined
  let code: Array<string> = []
  lines.forEach((text, index) => {
    const fence = /^(\s*)(`{3,})\s*(.*?)\s*$/.exec(text)
    if (open === undefined) {
      if (fence === null) return
      open = { indent: fence[1]!, marks: fence[2]!, line: index + 2, runs: fence[3] === "ts" }
      code = []
    } else if (fence !== null && fence[3] === "" && fence[2]!.length >= open.marks.length) {
      if (open.runs) found.push({ file, line: open.line, code: code.join("\n") })
      open = undefined
    } else {
      code.push(text.startsWith(open.indent) ? text.slice(open.indent.length) : text.trimStart())
    }
  })
  if (open !== undefined) throw new Error(`${file}:${open.line - 1}: this fence is never closed`)
  return found
}

interface Comment {
  readonly text: string
  readonly offset: number
}

const commentsOf = (source: string): Array<Comment> =>
  Array.from(source.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm), (match) => ({ text: match[0], offset: match.index }))

const examplesOf = (file: string, source: string, comment: Comment): Array<Fence> => {
  const before = source.slice(0, comment.offset).split("\n").length - 1
  let tag = ""
  const lines = comment.text.split("\n").map((line) => {
    const text = line.replace(/^\s*\*(?!\/) ?/, "").replace(/^\s*\/\*\*|\*\/\s*$/, "")
    tag = /^@(\w+)/.exec(text)?.[1] ?? tag
    return tag === "example" ? text : ""
  })
  return fencesOf(file, lines).map((fence) => ({ ...fence, line: fence.line + before }))
}

const read = (file: string): string => readFileSync(join(root, file), "utf8")

const list = (...patterns: ReadonlyArray<string>): Array<string> =>
  globSync(patterns, { cwd: root, exclude: (path) => path === "node_modules" || path.startsWith(".") })
    .map((path) => path.replaceAll("\\", "/"))
    .sort()

/** Every example of the repository, in the order of files and lines. */
export const collect = (): Array<Fence> => [
  ...list("src/**/*.ts").flatMap((file) => {
    const source = read(file)
    return commentsOf(source).flatMap((comment) => examplesOf(file, source, comment))
  }),
  ...list("README.md", "src/*/README.md", "lessons/**/*.md").flatMap((file) => fencesOf(file, read(file).split("\n")))
]

/** The modules that an app can import by their own subpath. */
export const publicModules = (): Array<string> => {
  const manifest: { readonly exports: Record<string, unknown> } = JSON.parse(read("package.json"))
  const rooms = Object.keys(manifest.exports).flatMap((key) => /^\.\/(\w+)\/\*$/.exec(key)?.[1] ?? [])
  return rooms
    .flatMap((room) => list(`src/${room}/*.ts`))
    .filter((file) => !/\/index\.ts$|\.types\.ts$/.test(file))
}

/** Whether the doc comment that opens a module holds an example that runs. */
export const hasHeaderExample = (file: string): boolean => {
  const source = read(file)
  const header = commentsOf(source)[0]
  return header !== undefined && source.slice(0, header.offset).trim() === "" &&
    examplesOf(file, source, header).length > 0
}

/** The generated module of a fence, as a path. */
export const moduleOf = (fence: Fence): string =>
  join(folder, `${fence.file.replace(/\.(ts|md)$/, "").replaceAll("/", "~")}~${fence.line}.ts`)

/** Writes every fence, leaves what is right already, and removes modules of fences that are gone. */
export const generate = (fences: ReadonlyArray<Fence>): void => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, ".gitignore"), "*\n")
  const kept = new Set(fences.map(moduleOf))
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (name !== ".gitignore" && !kept.has(path)) rmSync(path, { recursive: true, force: true })
  }
  for (const fence of fences) {
    const path = moduleOf(fence)
    const text = `${"\n".repeat(fence.line - 1)}${fence.code}\n`
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text)
  }
}
