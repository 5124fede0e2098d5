import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { globSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { expected } from "./service-examples.expected.ts"

const folder = fileURLToPath(new URL("../../lessons/service/examples", import.meta.url))
const files = globSync("*.ts", { cwd: folder }).sort()

const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS$|TEST$)/.test(name))
)

interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

const run = (file: string): Promise<Run> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=lifecycle-source", "--import", "tsx", file], {
      cwd: folder,
      env,
      timeout: 20_000
    })
    let out = ""
    let err = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => out += text)
    child.stderr.setEncoding("utf8").on("data", (text: string) => err += text)
    child.on("error", reject).on("close", (code) => resolve({ code, out, err }))
  })

describe("the examples of the sources, rewritten", () => {
  it("are all expected", () => {
    assert.deepStrictEqual(files.map((file) => basename(file, ".ts")).sort(), Object.keys(expected).sort())
  })

  for (const file of files) {
    it.concurrent(file, { timeout: 30_000 }, async () => {
      const { code, err, out } = await run(file)
      assert.strictEqual(code, 0, err)
      const lines = out.trimEnd().split("\n")
      assert.isTrue(
        lines.some((line) => line.startsWith("source: ")),
        "an example says what its source prints or claims"
      )
      assert.isTrue(lines.every((line) => /^(source: |ours: {3})\S/.test(line)), `an unexpected line in ${out}`)
      const ours = lines.flatMap((line) => line.startsWith("ours:") ? [line.slice(8)] : [])
      assert.deepStrictEqual(ours, expected[basename(file, ".ts")])
    })
  }
})
