// fails: c - takes a weight that cannot be read for 1
import type { Form } from "../report.ts"

export { answer } from "../solution.ts"

interface Range {
  readonly name: string
  readonly weight: number
}

const name = /^(?:\*\/\*|[^\s/*;,]+\/(?:\*|[^\s/*;,]+))$/
const weight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

const rangeOf = (text: string): Range | undefined => {
  const [first = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1"
  return name.test(first) ? { name: first, weight: weight.test(q) ? Number(q) : 1 } : undefined
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
