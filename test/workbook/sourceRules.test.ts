import { assert, describe, it } from "@effect/vitest"
import { parseAst } from "vitest/node"
import { importsOf, type Node, refusalsOf, rewriteImports } from "../../src/workbook/internal/sourceRules.ts"

const parse = (text: string): Node => parseAst(text, { lang: "ts", astType: "ts" }, "exercise.ts") as object as Node

const refusals = (text: string, imports: ReadonlyArray<string> = []): Array<string> =>
  refusalsOf(text, parse(text), {
    folder: "/course/01-one/01-first",
    given: ["/course/01-one/01-first/data.ts", "/course/support.ts"],
    imports
  }).map(({ cheating, sentence }) => `${cheating ? "cheat" : "no"}: ${sentence}`)

describe("what a learner's file may name", () => {
  const allowed = [
    "import { Effect } from \"effect\"\nimport { TestClock } from \"effect/testing\"",
    "import * as Deadline from \"effect-lifecycle/request/Deadline\"\nimport { a } from \"./data.ts\"",
    "import { check } from \"../../support.ts\"",
    "if (import.meta.main) console.log(1)",
    "export const process = (order: string) => order\nprocess(\"x\")",
    "const done = (process: () => void) => process()",
    "const { eval: other, require = 1 } = { eval: 1, require: 2 }\nother + require",
    "interface A { readonly process: number }\nconst a: A = { process: 1 }\na.process",
    "type Global = typeof globalThis\nexport type { Global }",
    "const copy = Object.assign({}, { a: 1 })\ncopy.a = 2\nObject.defineProperty(copy, \"b\", { value: 1 })",
    "const seen = new Map<string, number>()\nseen.set(\"a\", 1)",
    "class A {\n  constructor() {}\n}\nexport const name = new A().constructor.name",
    "try {\n} catch (process) {\n  void process\n}"
  ]
  for (const text of allowed) it(`allows ${text}`, () => assert.deepStrictEqual(refusals(text), []))

  const refused: ReadonlyArray<readonly [string, RegExp]> = [
    ["import { it } from \"vitest\"", /^cheat: Line 1 imports "vitest"/],
    ["\nexport * from \"@effect/vitest\"", /^cheat: Line 2 imports "@effect\/vitest"/],
    ["import { readFileSync } from \"node:fs\"", /^no: Line 1 imports "node:fs"\. This exercise may import effect, /],
    ["import a from \"./solution.ts\"", /^cheat: Line 1 imports ".\/solution.ts", which is the grader's/],
    ["import a from \"../../01-one/01-first/mutants/b.ts\"", /^cheat: /],
    ["import a from \"./other.ts\"", /^no: .* is not part of this exercise/],
    ["import a from \"/course/01-one/01-first/solution.ts\"", /^cheat: /],
    ["const a = await import(\"node:fs\")", /^no: Line 1 imports "node:fs"/],
    ["const a = await import(\"./solu\" + \"tion.ts\")", /^cheat: Line 1 imports a module by a computed name/],
    ["const a = await import(`./solution.ts`)", /^cheat: /],
    ["import { Grader } from \"effect-lifecycle/workbook\"", /^cheat: /],
    ["process.exit(0)", /^no: Line 1 uses `process`/],
    ["const process = 1\n{\n  void process\n}\nglobalThis.process", /^no: Line 5 uses `globalThis`/],
    ["{\n  const process = 1\n}\nprocess.exit()", /^no: Line 4 uses `process`/],
    ["const all = { process }", /^no: Line 1 uses `process`/],
    ["new Function(\"return 1\")()", /^no: Line 1 uses `Function`/],
    ["(() => {}).constructor(\"return process\")()", /^cheat: Line 1 makes code at run time/],
    ["(() => {})[\"constructor\"](\"return process\")()", /^cheat: /],
    ["Object.is = () => true", /^cheat: Line 1 changes `Object`/],
    ["Array.prototype[\"map\"] = () => []", /^cheat: Line 1 changes `Array`/],
    ["const a: any = {}\na.__proto__.message = 1", /^cheat: Line 2 reaches for a prototype/],
    ["delete Map.prototype.get", /^cheat: /],
    ["Object.defineProperty(Promise.prototype, \"then\", {})", /^cheat: Line 1 changes `Promise`/],
    ["Reflect.set(JSON, \"stringify\", 1)", /^cheat: /],
    ["const a = import.meta.vitest", /^no: Line 1 uses `import.meta`/],
    ["const a = (1 as any).x[\"__vitest_worker__\"]", /^cheat: Line 1 reaches for the test runner/]
  ]
  for (const [text, expected] of refused) {
    it(`refuses ${text}`, () => assert.match(refusals(text)[0] ?? "nothing was refused", expected))
  }

  it("allows what the exercise allows", () => {
    const text = "import a from \"@effect/platform-node/NodeHttpServer\"\nimport b from \"node:http\""
    assert.deepStrictEqual(refusals(text, ["@effect/platform-node/*", "node:http"]), [])
  })

  it("moves no line when it points imports elsewhere", () => {
    const text = "import {\n  a\n} from \"./data.ts\"\nexport * from './b.ts'\nconst c = import(\"./c.ts\")\n"
    const { imports } = importsOf(parse(text))
    assert.strictEqual(
      rewriteImports(text, imports, (specifier) => specifier.replace("./", "../x/")),
      "import {\n  a\n} from \"../x/data.ts\"\nexport * from \"../x/b.ts\"\nconst c = import(\"../x/c.ts\")\n"
    )
  })
})
