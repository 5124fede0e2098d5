/** The prices of the shop, in several forms. Given; there is nothing to change here. */
import { Context, Effect, Layer } from "effect"

/** The forms of a price list, as the server likes them best. */
export const types = ["application/json", "text/csv", "text/html"] as const

/** The languages it is written in. */
export const languages = ["en", "de"] as const

export interface Price {
  readonly sku: string
  readonly cents: number
}

/** The list, and its version: with each change it is one more. */
export interface PriceList {
  readonly version: number
  readonly prices: ReadonlyArray<Price>
}

/** Where the list lies. */
export class Prices extends Context.Service<Prices, {
  readonly current: Effect.Effect<PriceList>
  readonly change: (sku: string, cents: number) => Effect.Effect<void>
}>()("shop/Prices") {
  static readonly layer = Layer.sync(Prices, () => {
    let list: PriceList = {
      version: 7,
      prices: Array.from({ length: 80 }, (_, n) => ({ sku: `book-${n + 1}`, cents: 900 + 50 * n }))
    }
    return Prices.of({
      current: Effect.sync(() => list),
      change: (sku, cents) =>
        Effect.sync(() => {
          const prices = list.prices.map((price) => price.sku === sku ? { sku, cents } : price)
          list = { version: list.version + 1, prices }
        })
    })
  })
}

/** One form of the list, in a language. */
export const write = (type: string, language: string | undefined, { prices, version }: PriceList): string => {
  const words = language === "de"
    ? { title: `Preisliste ${version}`, sku: "Artikel", price: "Preis in Cent" }
    : { title: `Price list ${version}`, sku: "item", price: "price in cents" }
  switch (type) {
    case "text/csv":
      return [`${words.sku},${words.price}`, ...prices.map(({ cents, sku }) => `${sku},${cents}`), ""].join("\n")
    case "text/html":
      return `<!doctype html><html lang="${language ?? "en"}"><title>${words.title}</title><table>` +
        `<tr><th>${words.sku}<th>${words.price}` +
        `${prices.map(({ cents, sku }) => `<tr><td>${sku}<td>${cents}`).join("")}</table></html>`
    default:
      return JSON.stringify({ title: words.title, prices })
  }
}
