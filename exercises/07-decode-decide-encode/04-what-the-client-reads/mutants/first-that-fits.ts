// fails: b - takes the weight of the first range that fits
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
  return name.test(first) && weight.test(q) ? { name: first, weight: Number(q) } : undefined
}

const weightOf = ({ type }: Form, ranges: ReadonlyArray<Range>): number => {
  const names = [type, type.replace(/\/.*/, "/*"), "*/*"]
  return ranges.find((range) => names.includes(range.name))?.weight ?? 0
}

export const choose = (accept: string | undefined, forms: readonly [Form, ...Array<Form>]): Form | undefined => {
  const ranges = (accept ?? "").split(",").map(rangeOf).filter((range) => range !== undefined)
  if (ranges.length === 0) return forms[0]
  const weighed = forms.map((form) => ({ form, weight: weightOf(form, ranges) }))
  const heaviest = Math.max(...weighed.map((one) => one.weight))
  return heaviest === 0 ? undefined : weighed.find((one) => one.weight === heaviest)?.form
}
