import { assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { collect, generate, hasHeaderExample, moduleOf, publicModules } from "./fences.ts"

const fences = collect()

describe("documentation", () => {
  beforeAll(() => {
    generate(fences)
    for (const method of ["debug", "error", "info", "log", "table", "warn"] as const) {
      vi.spyOn(console, method).mockReturnValue()
    }
    return () => vi.restoreAllMocks()
  })

  it("every public module has a running example", () => {
    const missing = publicModules().filter((file) => !hasHeaderExample(file))
    assert.deepStrictEqual(missing, [], "the header of a public module needs `@example` and a ```ts fence that runs")
  })

  for (const fence of fences) {
    it(`${fence.file}:${fence.line}`, { timeout: 15_000 }, async () => {
      await import(/* @vite-ignore */ moduleOf(fence))
    })
  }
})
