/**
 * 07.4 What the client reads (stretch)
 *
 * The report of the day comes as JSON, CSV or HTML. A spreadsheet asks with `Accept: text/csv, application/json;q=0.5`, a
 * browser with a line that ends in a `*` over `*`, and a script with nothing. `orders` looks whether "csv" occurs in it. So
 * `text/csv;q=0`, which means "anything but that", is answered with CSV, and a cache in between gives the browser's HTML to
 * the next script, because nobody has told it that the answer depends on the question.
 *
 * Do
 * 1. `choose(accept, forms)`: the form to answer with; `undefined` when none will do. Without the header, or with an empty one,
 *    it is the first one.
 *    - The header is a list of ranges: `text/csv`, `text/*` or the one with two stars. Each may have a weight `;q=` from 0 to 1
 *      with up to three digits; without one it is 1. Names count in either case, and there may be spaces around `,` `;`.
 *    - The weight of a form is that of the most exact range that fits it, wherever that stands: its own name before `text/*`,
 *      and that before the two stars. Of two equally exact ones the higher weight counts.
 *    - The heaviest form is chosen; of equally heavy ones the one that the server names first. A weight of 0 is a refusal, and
 *      so is having no range that fits.
 * 2. A range that cannot be read is passed over, and the others count: no `/`, a star before a name (star, slash, `csv`), a
 *    weight that is no such number. Other parameters, such as `charset=utf-8`, are ignored. If none of the ranges can be read
 *    it is as if the header were not there.
 * 3. `answer(request)`: 200 with `content-type` and the body of the chosen form, or 406 with the three types, separated by a
 *    comma and a space, as its text. Either says `vary: accept`, so that a cache keeps one for each.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/07-decode-decide-encode/04-what-the-client-reads/exercise.ts`.
 */
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { csv, type Form, forms } from "./report.ts"

/** The form to answer with. */
export const choose = (accept: string | undefined, forms: readonly [Form, ...Array<Form>]): Form | undefined =>
  accept?.includes("csv") ? csv : forms[0]

/** Answers the request of the context with the report. */
export const answer: Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  HttpServerRequest.HttpServerRequest
> = Effect.gen(function*() {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const form = choose(headers["accept"], forms)
  return HttpServerResponse.text(form?.body ?? "")
})

if (import.meta.main) {
  for (
    const accept of [undefined, "text/csv", "text/csv;q=0, */*", "application/json;q=0.5, text/*;q=0.9", "image/png"]
  ) {
    console.log(`${accept ?? "nothing"}: ${choose(accept, forms)?.type ?? "nothing will do"}`)
  }
}
