/**
 * An export as lines of JSON. Line 1 is about the store, the last one about the export, and each between them is a row.
 * Every line ends with the SHA-256 of what stands before it in the line; the last line has one over those of all lines.
 * Columns are text as PostgreSQL writes it, so nothing is lost on the way, also no digit of a number in a payload.
 */
import { Effect, Schema } from "effect"
import { Digest } from "effect/crypto"

export const format = 1

const Counted = Schema.Struct({ n: Schema.Int })

const Text = Schema.NullOr(Schema.String)

export const Header = Schema.Struct({
  ...Counted.fields,
  store: Schema.Struct({
    format: Schema.Int,
    schema: Schema.String,
    migrations: Schema.Array(Schema.Struct({ id: Schema.Int, name: Schema.String })),
    at: Schema.String
  })
})

export const Row = Schema.Struct({
  ...Counted.fields,
  table: Schema.String,
  row: Schema.Record(Schema.String, Text)
})

export const End = Schema.Struct({
  ...Counted.fields,
  end: Schema.Struct({
    rows: Schema.Record(Schema.String, Schema.Int),
    sequences: Schema.Array(
      Schema.Struct({ table: Schema.String, column: Schema.String, last: Schema.String, called: Schema.Boolean })
    ),
    sha256: Schema.String
  })
})

type Line<A> = A extends { readonly n: number } ? Omit<A, "n"> : never

export type Content = Line<typeof Header["Type"]> | Line<typeof Row["Type"]> | Line<typeof End["Type"]>

/** So many lines are added to the total at once. */
const block = 1000

const encoder = new TextEncoder()

/** Writes lines, or checks them: both count and sum in the same way. */
export const makeSum = Effect.gen(function*() {
  const digest = yield* Digest.Digest
  const sha256 = (text: string) => digest.digestHex(Digest.sha256, encoder.encode(text))
  let total = ""
  let waiting: Array<string> = []
  const fold = Effect.fnUntraced(function*(least: number) {
    while (waiting.length >= least && waiting.length > 0) {
      total = yield* sha256(total + waiting.slice(0, block).join(""))
      waiting = waiting.slice(block)
    }
  })
  return {
    sha256,
    add: (sums: ReadonlyArray<string>) => {
      for (const sum of sums) waiting.push(sum)
      return fold(block)
    },
    total: Effect.map(fold(1), () => total)
  }
})

export type Sum = Effect.Success<typeof makeSum>

export const makeWriter = Effect.gen(function*() {
  const sum = yield* makeSum
  let n = 0
  return {
    total: sum.total,
    lines: Effect.fnUntraced(function*(contents: ReadonlyArray<Content>) {
      const texts = contents.map((content) => JSON.stringify({ n: ++n, ...content }).slice(0, -1))
      const sums = yield* Effect.forEach(texts, sum.sha256, { concurrency: 64 })
      yield* sum.add(sums)
      return texts.map((text, index) => `${text},"sha256":"${sums[index]}"}`)
    })
  }
})

const signed = /^(.*),"sha256":"([0-9a-f]{64})"\}$/s

/** The parts of a line, or `undefined` where it does not have this form. */
export const split = (line: string): { readonly text: string; readonly sum: string } | undefined => {
  const [, text, sum] = signed.exec(line) ?? []
  return text === undefined || sum === undefined ? undefined : { text, sum }
}
