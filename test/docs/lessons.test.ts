import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Stage } from "effect-lifecycle/lifecycle"
import { spawn, spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Addresses } from "../../lessons/service/launch.ts"
import { Services, services } from "../service/harness.ts"
import { root } from "./fences.ts"

const lessons = globSync("lessons/[0-9]*/lesson.md", { cwd: root }).map((file) => file.replaceAll("\\", "/")).sort()
const read = (file: string): string => readFileSync(join(root, file), "utf8")

/** Every lesson has these, in words of its own. */
const parts: Readonly<Record<string, RegExp>> = {
  "its time": /^- \*\*Time\*\*: about \d+ minutes\.$/m,
  "its level": /^- \*\*Level\*\*: (beginner|intermediate|advanced)\.$/m,
  "what is needed": /^- \*\*You need\*\*: /m,
  "what one can do afterwards": /^- \*\*Afterwards you can\*\*: /m,
  "the road": /^```text road$/m,
  "an example on the running service": /^## On the running service$[\s\S]*^```sh service$[\s\S]*^```text$/m,
  "what goes wrong": /^## (What goes wrong in production|When it goes wrong)$/m,
  "takeaways": /^## Takeaways$/m,
  "a prediction": /Predict first/,
  "where to go on": /^## Now you$/m
}

describe("a lesson", () => {
  for (const file of lessons) {
    it(`${file} has all its parts`, () => {
      const text = read(file)
      const missing = Object.entries(parts).flatMap(([name, part]) => part.test(text) ? [] : [name])
      assert.deepStrictEqual(missing, [])
      const road = /^```text road\n([\s\S]*?)^```$/m.exec(text)?.[1]?.split("\n") ?? []
      const stages = road.slice(0, 3).flatMap((line) => line.split(/ +/).slice(1))
      const names = stages.map((name) => name.replace(/[[\]]/g, "").toLowerCase())
      assert.deepStrictEqual(names, Stage.all.map((stage) => stage.name.toLowerCase()), "the road has fifteen stages")
      assert.isTrue(stages.some((name) => /^\[[A-Z]+\]$/.test(name)), "today's stage is lit")
    })
  }

  it("stands in the table, with its time", () => {
    const table = read("lessons/README.md")
    for (const file of lessons) {
      const minutes = /about (\d+) minutes/i.exec(read(file))?.[1]
      const row = table.split("\n").find((line) => line.includes(`(${file.replace("lessons/", "")})`))
      assert.isDefined(row, `${file} is not in lessons/README.md`)
      assert.strictEqual(
        row?.split("|")[3]?.trim(),
        minutes,
        `${file}: the minutes differ from those in lessons/README.md`
      )
    }
  })
})

describe("the short road", () => {
  it("is made of steps that exist", () => {
    for (const file of globSync("lessons/paths/*.json", { cwd: root })) {
      const path = JSON.parse(read(file)) as {
        readonly title: string
        readonly steps: ReadonlyArray<{ readonly kind: string; readonly id?: string }>
      }
      assert.isNotEmpty(path.title)
      for (const { id = "", kind } of path.steps) {
        const [chapter = "", number = ""] = id.split(".")
        const pattern = kind === "lesson"
          ? `lessons/${id}-*/lesson.md`
          : `exercises/${chapter}-*/0${number}-*/meta.json`
        if (kind === "tour") assert.strictEqual(id, "")
        else assert.lengthOf(globSync(pattern, { cwd: root }), 1, `${file}: there is no ${kind} ${id}`)
      }
    }
  })
})

interface Shown {
  readonly file: string
  readonly commands: string
  readonly text: string
}

const shown: ReadonlyArray<Shown> = lessons.flatMap((file) =>
  Array.from(
    read(file).matchAll(/^```sh service\n([\s\S]*?)^```\n+```text\n([\s\S]*?)^```$/gm),
    ([, commands = "", text = ""]) => ({ file, commands, text })
  )
)

const run = (commands: string, addresses: Addresses) =>
  Effect.callback<string>((resume) => {
    const cli = `node ${JSON.stringify(join(root, "src/cli/bin.mjs"))}`
    const script = commands
      .replaceAll("npx lifecycle", cli)
      .replaceAll("http://127.0.0.1:4100", addresses.users)
      .replaceAll("http://127.0.0.1:4101", addresses.orders)
      .replaceAll("http://127.0.0.1:4102", addresses.payments)
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS$)/.test(name))
    )
    const PATH = `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`
    const child = spawn("bash", ["-c", script], { cwd: root, env: { ...env, PATH, NO_COLOR: "1" } })
    let out = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => out += text)
    child.stderr.setEncoding("utf8").on("data", (text: string) => out += text)
    child.on("close", () => resume(Effect.succeed(out)))
    return Effect.sync(() => child.kill())
  })

/** Ids, times, counts and bars are different each time; a status is not. */
const essence = (line: string): string =>
  line.replace(/[▏▎▍▌▋▊▉█]+/g, "")
    .replace(/(usr|ord|pay)_[0-9a-f]+/g, "$1_")
    .replace(/(HTTP\/1\.1 \d+|^\d{3}$|"status":\d+|answered \d+)|\d+(\.\d+)?( ms)?/g, (_, status) => status ?? "0")
    .replace(/\s+/g, " ").trim()

const pattern = (line: string): RegExp =>
  new RegExp(
    `^${essence(line).split("…").map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`
  )

const has = (command: string): boolean => spawnSync(command, ["--version"]).status === 0

describe("what a lesson shows of the running service", () => {
  for (const { commands, file, text } of shown) {
    it.live.skipIf(!has("bash") || !has("curl"))(
      `is what it says: ${file}`,
      () =>
        Effect.gen(function*() {
          const { addresses } = yield* Services
          const said = (yield* run(commands, addresses)).trim().split("\n")
          const expected = text.trim().split("\n")
          assert.strictEqual(said.length, expected.length, said.join("\n"))
          said.forEach((line, index) => assert.match(essence(line), pattern(expected[index] ?? "")))
        }).pipe(Effect.provide(services)),
      60_000
    )
  }
})
