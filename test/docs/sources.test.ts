import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./fences.ts"
import { faultsOf, linksOf } from "./links.ts"

const page = join(root, "lessons/sources.md")

interface Row {
  readonly heading: string
  readonly cells: ReadonlyArray<string>
}

/** The rows of every table, by the heading above it. */
const tablesOf = (text: string): ReadonlyMap<string, ReadonlyArray<Row>> => {
  const tables = new Map<string, Array<Row>>()
  let title = ""
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) title = line.slice(3)
    if (!line.startsWith("|")) continue
    const cells = line.split("|").slice(1, -1).map((cell) => cell.trim())
    const [heading = ""] = cells
    if (heading === "Heading" || /^-+$/.test(heading)) continue
    tables.set(title, [...tables.get(title) ?? [], { heading, cells }])
  }
  return tables
}

describe("the headings of the sources", () => {
  const text = readFileSync(page, "utf8")
  const tables = tablesOf(text)

  it("stand in five tables, and none is left out", () => {
    const sizes = [...tables].map(([title, rows]) => [title, rows.length])
    assert.deepStrictEqual(sizes, [
      ["A lesson on the fifteen steps of a request", 34],
      ["aio-request 0.2.6", 5],
      ["python-cqrs 4.10.0, release notes", 12],
      ["python-cqrs, stream handling fallback", 6],
      ["Fluvius, request lifecycle", 40]
    ], "a heading was added or taken away")
  })

  for (const [title, rows] of tables) {
    it(`of "${title}" each lead somewhere`, () => {
      const names = rows.map((row) => row.heading)
      assert.strictEqual(new Set(names).size, names.length, "a heading stands twice")
      for (const { cells, heading } of rows) {
        assert.strictEqual(cells.length, 2, `${heading}: a row has two cells`)
        assert.isTrue(cells.every((cell) => cell !== ""), `${heading}: a cell is empty`)
        assert.isAbove(linksOf(cells[1] ?? "").length, 0, `${heading}: it links to nothing`)
      }
    })
  }

  it("lead to files and headings that exist", () => {
    assert.deepStrictEqual(faultsOf(page, text), [])
  })

  it("are missed when a cell is empty or a link leads nowhere", () => {
    assert.deepStrictEqual(tablesOf("## A\n\n| Heading | Here |\n| --- | --- |\n| One |  |\n").get("A"), [
      { heading: "One", cells: ["One", ""] }
    ])
    assert.deepStrictEqual(faultsOf(page, "[a](nowhere.md), [b](README.md#nowhere)"), [
      "lessons/sources.md: nowhere.md leads nowhere",
      "lessons/sources.md: README.md#nowhere: there is no such heading"
    ])
  })
})
