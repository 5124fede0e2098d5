// Sorts the ranges from the most exact to the least, and takes the first that fits.
import { Array, Effect, Option, Order } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Form, forms } from "../report.ts"

const range = /^([^\s/*;,]+|\*(?=\/\*))\/([^\s/*;,]+|\*)$/

const read = (text: string) =>
  Option.gen(function*() {
    const [name = "", ...parameters] = text.toLowerCase().split(";").map((part) => part.trim())
    const [, kind = "", form = ""] = yield* Option.fromNullishOr(range.exec(name))
    const given = parameters.map((parameter) => /^q=(.*)$/.exec(parameter)?.[1]).find((q) => q !== undefined)
    const weight = given === undefined || /^(0|1)(\.\d{0,3})?$/.test(given) ? Number(given ?? 1) : 2
    if (weight > 1) return yield* Option.none()
    return {
      weight,
      exactness: kind === "*" ? 0 : form === "*" ? 1 : 2,
      fits: (type: string) =>
        (kind === "*" || type.startsWith(`${kind}/`)) && (form === "*" || type.endsWith(`/${form}`))
    }
  })

export const choose = (accept: string | undefined, forms: readonly [Form, ...Array<Form>]): Form | undefined => {
  const ranges = Array.getSomes((accept ?? "").split(",").map(read))
  if (!Array.isReadonlyArrayNonEmpty(ranges)) return forms[0]
  const sorted = Array.sortBy(
    Order.mapInput(Order.flip(Order.Number), (one: (typeof ranges)[0]) => one.exactness),
    Order.mapInput(Order.flip(Order.Number), (one: (typeof ranges)[0]) => one.weight)
  )(ranges)
  return forms.reduce<{ readonly form: Form | undefined; readonly weight: number }>((best, form) => {
    const weight = sorted.find((one) => one.fits(form.type))?.weight ?? 0
    return weight > best.weight ? { form, weight } : best
  }, { form: undefined, weight: 0 }).form
}

export const answer: Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  HttpServerRequest.HttpServerRequest
> = Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) => {
  const form = choose(headers["accept"], forms)
  const response = form === undefined
    ? HttpServerResponse.text(forms.map((one) => one.type).join(", "), { status: 406 })
    : HttpServerResponse.text(form.body, { headers: { "content-type": form.type } })
  return HttpServerResponse.setHeader(response, "vary", "accept")
})
