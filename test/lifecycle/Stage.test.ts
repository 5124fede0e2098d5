import { assert, describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { Stage } from "effect-lifecycle/lifecycle"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { failureTable, stageTable } from "../../src/lifecycle/internal/tables.ts"

const order = [
  "Dns",
  "Connect",
  "Tls",
  "Send",
  "Balancer",
  "Proxy",
  "Accept",
  "Server",
  "Middleware",
  "Security",
  "Router",
  "Dependencies",
  "Validation",
  "Handler",
  "Response"
] as const

const modules = Stage.all.flatMap(({ modelledBy, name }) => {
  const named = "modules" in modelledBy
    ? modelledBy.modules
    : modelledBy.measuredBy === undefined
    ? []
    : [modelledBy.measuredBy]
  return named.map((module) => ({ stage: name, ...module }))
})

describe("Stage", () => {
  it("has the fifteen stages in the order of the road", () => {
    assert.deepStrictEqual(Stage.all.map(({ name }) => name), [...order])
    assert.deepStrictEqual(Stage.all.map((stage) => stage.order), order.map((_, index) => index + 1))
    assert.deepStrictEqual([...Stage.StageName.literals], [...order])
  })

  it("goes from the client over the network to the server, and never back", () => {
    const sides = Stage.all.map(({ side }) => ["client", "network", "server"].indexOf(side))
    assert.deepStrictEqual(sides, sides.toSorted((a, b) => a - b))
  })

  it("gives a stage by its name, and all of them pass the schema", () => {
    for (const stage of Stage.all) {
      assert.deepStrictEqual(Stage.get(stage.name), stage)
      assert.deepStrictEqual(Schema.decodeSync(Stage.Stage)(stage), stage)
    }
    assert.throws(() => Schema.decodeUnknownSync(Stage.StageName)("Basement"))
  })

  it("covers the lesson's fifteen steps without a gap", () => {
    const steps = Stage.all.flatMap(({ lessonStep }) =>
      lessonStep === null ? [] : typeof lessonStep === "number" ? [lessonStep] : [...lessonStep]
    )
    assert.deepStrictEqual(
      [...new Set(steps)].sort((a, b) => a - b),
      Array.from({ length: 15 }, (_, index) => index + 1)
    )
    assert.isNull(Stage.get("Response").lessonStep)
    assert.deepStrictEqual(Stage.get("Accept").lessonStep, [7, 8])
  })

  it.prop("compares as the road goes", [Stage.StageName, Stage.StageName], ([a, b]) => {
    assert.strictEqual(Stage.compare(a, b), Math.sign(Stage.get(a).order - Stage.get(b).order))
  })

  describe("every module that a stage names", () => {
    for (const { export: name, module, stage } of modules) {
      it(`resolves: ${stage} -> ${module}${name === undefined ? "" : ` ${name}`}`, async () => {
        const loaded = await import(module)
        if (name === undefined) assert.isAbove(Object.keys(loaded).length, 0)
        else assert.isDefined(loaded[name])
      })
    }

    it("is named by one stage only, the probe apart, which times four", () => {
      const names = modules.map(({ export: name = "", module }) => `${module} ${name}`)
        .filter((name) => !name.startsWith("effect-lifecycle/client/Probe"))
      assert.strictEqual(new Set(names).size, names.length)
    })
  })

  it("writes the README's tables, which are up to date", async () => {
    const path = fileURLToPath(new URL("../../src/lifecycle/README.md", import.meta.url))
    const readme = await readFile(path, "utf8")
    const fill = (text: string, name: string, table: string) =>
      text.replace(
        new RegExp(`(<!-- generated: ${name} -->\\n)[^]*?(<!-- /generated -->)`),
        (_, start: string, end: string) => `${start}\n${table}\n\n${end}`
      )
    const filled = fill(fill(readme, "stages", stageTable()), "failures", failureTable())
    assert.include(filled, stageTable())
    assert.include(filled, failureTable())
    await expect(filled).toMatchFileSnapshot(path)
  })
})
