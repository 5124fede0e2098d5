import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./fences.ts"

const read = (page: string): string => readFileSync(join(root, page), "utf8")
const words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]

describe("the numbers of the pages", () => {
  it("say how many exercises the short road has", () => {
    const { steps } = JSON.parse(read("lessons/paths/two-hours.json")) as {
      readonly steps: ReadonlyArray<{ readonly kind: string }>
    }
    const many = `${words[steps.filter(({ kind }) => kind === "exercise").length]} exercises`
    assert.match(read("README.md"), new RegExp(`--path two-hours +# the short road: ${many} `))
    assert.match(read("lessons/README.md"), new RegExp(`--path two-hours\` is a short road [^.]*? ${many}\\s`))
  })
})
