import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Form, forms } from "./report.ts"

interface Range {
  readonly name: string
  readonly weight: number
}

const name = /^(?:\*\/\*|[^\s/*;,]+\/(?:\*|[^\s/*;,]+))$/
const weight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

const rangeOf = (text: string): Range | undefined => {
  const [first = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1"
  return name.test(first) && weight.test(q) ? { name: first, weight: Number(q) } : undefined
}

const weightOf = ({ type }: Form, ranges: ReadonlyArray<Range>): number => {
  for (const name of [type, type.replace(/\/.*/, "/*"), "*/*"]) {
    const fitting = ranges.filter((range) => range.name === name)
    if (fitting.length > 0) return Math.max(...fitting.map((range) => range.weight))
  }
  return 0
}

export const choose = (accept: string | undefined, forms: readonly [Form, ...Array<Form>]): Form | undefined => {
  const ranges = (accept ?? "").split(",").map(rangeOf).filter((range) => range !== undefined)
  if (ranges.length === 0) return forms[0]
  const weighed = forms.map((form) => ({ form, weight: weightOf(form, ranges) }))
  const heaviest = Math.max(...weighed.map((one) => one.weight))
  return heaviest === 0 ? undefined : weighed.find((one) => one.weight === heaviest)?.form
}

export const answer: Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  HttpServerRequest.HttpServerRequest
> = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  const headers = { vary: "accept" }
  const form = choose(request.headers["accept"], forms)
  return form === undefined
    ? HttpServerResponse.text(forms.map(({ type }) => type).join(", "), { status: 406, headers })
    : HttpServerResponse.text(form.body, { contentType: form.type, headers })
})
