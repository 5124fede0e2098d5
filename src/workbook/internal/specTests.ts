/** The tests of a spec, in the order in which they stand: which task each belongs to, and its text. */

/** One block of a spec that names a task. */
export interface SpecTest {
  readonly task: string
  readonly code: string
}

const head = /^(\s*)(?:describe|it)(?:\.\w+)*(?:<[^>]*>)?\(\s*["'`](\w+)/

/**
 * The blocks whose name begins with one of the tasks. A block ends where the indentation of its first line comes back,
 * which is so in every formatted spec.
 */
export const specTests = (spec: string, tasks: ReadonlyArray<string>): ReadonlyArray<SpecTest> => {
  const lines = spec.split("\n")
  const tests: Array<SpecTest> = []
  for (let index = 0; index < lines.length; index++) {
    const [, indent = "", task = ""] = head.exec(lines[index] ?? "") ?? []
    if (!tasks.includes(task)) continue
    const first = index
    while (index + 1 < lines.length) {
      const line = lines[index + 1] ?? ""
      const deeper = line.trim() === "" || line.startsWith(`${indent} `)
      if (!deeper && !/^\s*[)}\]]/.test(line)) break
      index++
      if (!deeper) break
    }
    const code = lines.slice(first, index + 1).map((line) => line.slice(indent.length)).join("\n").trimEnd()
    tests.push({ task, code })
  }
  return tests
}
