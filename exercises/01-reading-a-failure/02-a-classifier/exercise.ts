/**
 * 01.2 A classifier, not a table
 *
 * `diagnose` below is the table that everybody carries in their head: a status, a layer. It is wrong for most of the twelve
 * captures in `captures.ts`, because 404, 500 and 503 can each come from two layers, and because some failures have no
 * status at all.
 *
 * The house is the one of 01.1: a balancer that signs its own answers with `Server: awselb/2.0`, nginx that puts its
 * `Server` header on every answer, also on those it passes on, and an application that answers in JSON with a member
 * `stage`. Below the application, Node's HTTP server answers 408 by itself: no body, and nobody's signature. nginx writes
 * 499 into its log when the client has left: nobody spoke, and the road ended on the way back, at `Response`.
 *
 * Do
 * 1. Decide from evidence, in an order that you can explain. Header names come in any casing, and a body may be missing or
 *    not be the JSON that its header promises: `diagnose` answers all the same, and never throws.
 * 2. Say `unknown` where the capture does not tell, and only there.
 * 3. `secondOpinion`: ask the library. `Diagnosis.diagnose` takes what the client said as `{ _tag: "Curl", text }` and an
 *    answer as `{ _tag: "Response", status, headers, body }`. Give its verdict, and `unknown` where it is undecided.
 *
 * Check: `npm run learn`. Look: `npx tsx workspace/01-reading-a-failure/02-a-classifier/exercise.ts`.
 */
import { type Capture, type Layer, seen } from "./captures.ts"

/** The layer that spoke. */
export const diagnose = (capture: Capture): Layer => {
  switch (capture.status) {
    case 404:
      return "Router"
    case 502:
    case 504:
      return "Proxy"
    default:
      return "Handler"
  }
}

/** What the library says about the same capture. */
export const secondOpinion = (_capture: Capture): Layer => "unknown"

if (import.meta.main) {
  for (const { capture, kind, layer } of seen) {
    const answer = diagnose(capture)
    console.log(`${answer === layer ? "right" : "WRONG"}  ${kind.padEnd(24)} ${answer}`)
  }
}
