import { assert, describe, expect, it } from "@effect/vitest"
import { readdir, readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { type Source, tables } from "./ported.ts"
import { aioRequest, lesson, pythonCqrs } from "./ported/topics.ts"

const topics = [...aioRequest, ...pythonCqrs, ...lesson]
const sources: ReadonlyArray<Source> = ["aio-request", "python-cqrs", "lesson"]

describe("DIFFERENCES.md", () => {
  it("names each behaviour once, and says of every difference what they do, what we do and why", () => {
    const behaviours = topics.flatMap((topic) => topic.behaviours)
    const ids = behaviours.map(({ id }) => id)
    assert.deepStrictEqual(ids.filter((id, index) => ids.indexOf(id) !== index), [])
    for (const one of behaviours) {
      const texts = one._tag === "Equal" ? [one.behaviour] : [one.theirs, one.ours, one.reason]
      for (const text of texts) assert.match(text, /^\S[^\n]+[^\s.]$/, one.id)
    }
  })

  it("names only rules that are tests beside it", async () => {
    const files = await readdir(fileURLToPath(new URL(".", import.meta.url)))
    const rules = topics.flatMap(({ behaviours }) =>
      behaviours.flatMap((one) => one._tag === "Differs" && one.rule !== undefined ? [one.rule] : [])
    )
    assert.deepStrictEqual([...new Set(rules)].filter((rule) => !files.includes(`${rule}.test.ts`)).sort(), [])
  })

  it("is up to date; vitest -u writes it", async () => {
    const path = fileURLToPath(new URL("./DIFFERENCES.md", import.meta.url))
    const filled = sources.reduce(
      (text, source) =>
        text.replace(
          new RegExp(`(<!-- generated: ${source} -->\\n)[^]*?(<!-- /generated -->)`),
          (_, start: string, end: string) => `${start}\n${tables(source, topics)}\n\n${end}`
        ),
      await readFile(path, "utf8")
    )
    for (const source of sources) assert.include(filled, tables(source, topics))
    await expect(filled).toMatchFileSnapshot(path)
  })
})
