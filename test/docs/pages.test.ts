import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { root } from "./fences.ts"
import { faultsOf, linksOf } from "./links.ts"

const pages = globSync(["*.md", "src/*/README.md", "lessons/**/*.md", "exercises/**/*.md"], { cwd: root })
  .filter((page) => !page.includes("node_modules"))

describe("the pages", () => {
  it("are found", () => assert.isAbove(pages.length, 60))

  it("lead to files and headings that exist", () => {
    const faults = pages.flatMap((page) => faultsOf(join(root, page), readFileSync(join(root, page), "utf8")))
    assert.deepStrictEqual(faults, [])
  })
})

describe("the README", () => {
  const text = readFileSync(join(root, "README.md"), "utf8")
  const rooms = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory())

  for (const { name, parentPath } of rooms) {
    const page = join(parentPath, name, "README.md")
    it(`has src/${name} on its map${existsSync(page) ? ", and leads to its page" : ""}`, () => {
      assert.include(text, `\n| \`src/${name}\` `)
      if (existsSync(page)) assert.include(linksOf(text), relative(root, page))
    })
  }
})
