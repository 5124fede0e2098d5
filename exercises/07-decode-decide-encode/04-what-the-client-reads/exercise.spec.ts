import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { answer, choose } from "./exercise.ts"
import { csv, type Form, forms, html, json } from "./report.ts"

const told = (accept: string | undefined): string => accept === undefined ? "no Accept" : `Accept: ${accept}`

const chosen = (accept: string | undefined, expected: Form | undefined, why: string): void =>
  assert.strictEqual(
    choose(accept, forms)?.type,
    expected?.type,
    `With ${told(accept)} it is ${expected?.type ?? "nothing"}: ${why}.`
  )

/** The rule by hand, for ranges that are known. */
const byHand = (ranges: ReadonlyArray<readonly [range: string, thousandths: number]>): string | undefined => {
  const weigh = ({ type }: Form): number => {
    for (const range of [type, `${type.split("/")[0]}/*`, "*/*"]) {
      const weights = ranges.filter(([name]) => name === range).map(([, weight]) => weight)
      if (weights.length > 0) return Math.max(...weights)
    }
    return 0
  }
  let best: Form | undefined
  for (const form of forms) if (weigh(form) > (best === undefined ? 0 : weigh(best))) best = form
  return best?.type
}

const ask = (accept: string | undefined) =>
  Effect.gen(function*() {
    const headers = accept === undefined ? {} : { accept }
    const request = HttpServerRequest.fromWeb(new Request("http://orders.internal/report", { headers }))
    const response = yield* Effect.provideService(answer, HttpServerRequest.HttpServerRequest, request)
    const web = HttpServerResponse.toWeb(response)
    return {
      status: web.status,
      type: web.headers.get("content-type")?.split(";")[0],
      vary: web.headers.get("vary")?.toLowerCase(),
      body: yield* Effect.promise(() => web.text())
    }
  })

describe("a: who asks for nothing gets the first", () => {
  it("no header", () => chosen(undefined, json, "whoever does not ask takes what there is"))
  it("its own name", () => chosen("text/csv", csv, "it is asked for by its name"))
})

describe("b: the most wanted of what there is", () => {
  it("an empty header", () => {
    chosen("", json, "an empty header asks for nothing")
    chosen(" ", json, "an empty header asks for nothing")
  })

  it("weights", () => {
    chosen("application/json;q=0.5, text/csv", csv, "without a weight it is 1, which is more than 0.5")
    chosen("text/csv;q=0.2, text/html;q=0.25", html, "0.25 is more than 0.2")
    chosen("text/csv;q=0.099, text/html;q=0.1", html, "0.1 is more than 0.099")
    chosen("text/html, text/csv", csv, "both weigh 1, and the server names CSV before HTML")
    chosen("image/png, text/html;q=0.001", html, "there is no image, and little is more than nothing")
  })

  it("stars", () => {
    chosen("*/*", json, "everything will do, and JSON is the first")
    chosen("text/*", csv, "CSV is the first text")
    chosen("text/*;q=0.5, application/json;q=0.4", csv, "every text weighs 0.5")
    chosen("image/*, application/*;q=0.1", json, "there is no image")
  })

  it("the most exact one counts", () => {
    chosen("text/*, text/csv;q=0.3, application/json;q=0.5", html, "CSV weighs 0.3 by its own name, and HTML 1")
    chosen("text/csv;q=0.3, text/*", html, "the order of the ranges does not matter")
    chosen("*/*, application/*;q=0.2, text/csv;q=0.9", html, "JSON weighs 0.2, CSV 0.9, and HTML 1 by the stars")
    chosen("text/csv;q=0.2, text/csv;q=0.9, text/html;q=0.5", csv, "of two equally exact ones the higher counts")
  })

  it("a weight of 0 is a refusal", () => {
    chosen("text/csv;q=0", undefined, "CSV is refused, and nothing else was asked for")
    chosen("text/csv;q=0, */*;q=0.1", json, "anything but CSV will do")
    chosen("application/json;q=0.000, text/*;q=0.1", csv, "0.000 is 0 as well")
    chosen("*/*;q=0", undefined, "everything is refused")
    chosen("image/png", undefined, "nothing fits it")
  })

  it("as a count by hand says", () => {
    let seed = 3
    const next = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n
    const names = ["application/json", "text/csv", "text/html", "application/*", "text/*", "*/*", "image/png"]
    const weights = [0, 1, 100, 250, 500, 999, 1000]
    for (let round = 0; round < 400; round++) {
      const ranges = Array.from({ length: 1 + next(5) }, () => [names[next(7)]!, weights[next(7)]!] as const)
      const accept = ranges.map(([name, weight]) => `${name};q=${weight / 1000}`).join(", ")
      assert.strictEqual(
        choose(accept, forms)?.type,
        byHand(ranges),
        `Accept: ${accept} is weighed by exactness first.`
      )
    }
  })
})

describe("c: what cannot be read is passed over", () => {
  it("case and spaces", () => {
    chosen("TEXT/Csv ; Q=0.5 ,application/json;q=0.4", csv, "names count in either case, and spaces do not count")
    chosen("text/csv;charset=utf-8;q=0.1, text/html;level=1;q=0.2", html, "other parameters are ignored")
    chosen("text/html;q=0.2;token=x, text/csv;q=0.1", html, "other parameters are ignored, behind the weight too")
  })

  it("rubbish among others", () => {
    chosen("csv, text/html", html, "a name without a slash is no range")
    chosen("*/csv, text/html", html, "a star before a name is no range")
    chosen("text/csv;q=2, text/html;q=0.1", html, "2 is no weight")
    chosen("text/csv;q=1.5, text/html;q=0.1", html, "1.5 is no weight")
    chosen("text/csv;q=0.1234, text/html;q=0.1", html, "a weight has up to three digits")
    chosen("text/csv;q=-1, text/html;q=0.1", html, "-1 is no weight")
    chosen("text/csv;q=, text/html;q=0.1", html, "an empty weight is none")
    chosen("text/csv;q=high, text/html;q=0.1", html, "a word is no weight")
    chosen("text/csv;q=1.000, text/html;q=1.", csv, "1.000 and 1. are weights")
    chosen("text/csv/x, text/html", html, "two slashes are no range")
    chosen("text/, text/html", html, "half a name is no range")
    chosen(",,text/html,", html, "nothing between two commas is nothing")
  })

  it("nothing but rubbish", () => {
    chosen("csv", json, "without a range that can be read it is as if there were no header")
    chosen("text/csv;q=high", json, "without a range that can be read it is as if there were no header")
    chosen(",", json, "without a range that can be read it is as if there were no header")
  })
})

describe("d: the answer says what it is, and what there is", () => {
  for (const [accept, form] of [["text/csv", csv], ["text/html, */*;q=0.1", html], [undefined, json]] as const) {
    it.effect(told(accept), () =>
      Effect.gen(function*() {
        const { body, status, type, vary } = yield* ask(accept)
        assert.strictEqual(status, 200, "There is a form that will do.")
        assert.strictEqual(type, form.type, "The answer says which form it has.")
        assert.strictEqual(body, form.body, "The body is in the form that was chosen.")
        assert.strictEqual(vary, "accept", "A cache has to know that the answer depends on Accept.")
      }))
  }

  it.effect("none will do", () =>
    Effect.gen(function*() {
      const { body, status, vary } = yield* ask("image/png")
      assert.strictEqual(status, 406, "No form will do, which is 406.")
      assert.strictEqual(body, "application/json, text/csv, text/html", "A 406 says what there is.")
      assert.strictEqual(vary, "accept", "A cache has to know that a 406 depends on Accept, too.")
    }))
})
