/**
 * 10.6 Whose seconds were they? (stretch)
 *
 * "Orders takes seconds." Ten letters say so, and the graphs agree: orders is slow, payments is slow, users is slow.
 * Of course: whoever waits for a slow service is slow. The team of payments is awake, since their bank needs 300 ms,
 * as on any day. It is nobody's fault yet, and everybody's.
 *
 * Each service remembers its part of a request: the stages it passed, and what it sent to others. `recordings.ts` has
 * such parts of a calm day and of the hour of the letters; `sentBy` reads from a part what it sent. `Story.join` in
 * `effect-lifecycle/lifecycle` puts the parts of one request together: in `parts` the one that came first is the
 * customer's, and each other one has a `cause`, which is the part and the step that it answered. Clocks of machines
 * differ, durations do not.
 *
 * A place is a stage of a service, "users: Dependencies", or the way from one to another, "orders to payments".
 *
 * Do
 * 1. `spentBy(parts)`: where the time of one request went, most first. The millis of all places add up to those of the
 *    customer's part. What a part waited for is not its own time: it is that of the part that answered, and what is
 *    left of the wait was spent on the way. Its other time belongs to the stages it was spent in. A request that
 *    nobody answered is all way; a place without time is left out.
 * 2. When several requests run at once, only the one that was waited for counts: go from the end of the part to its
 *    start. The last request to end by then was waited for; before it began, the last to have ended by then; and so
 *    on. What ended later than that has cost nobody anything. Between two attempts of a call it is the caller that
 *    waits.
 * 3. `failedFirst(parts)`: where a failure began; `undefined` where the customer got no 5xx. Whoever fails because a
 *    call failed is not the first: follow the last failed request of a call that failed. An attempt that a later one
 *    has mended, and an answer with a 4xx, are no failed call. Where nobody answered, it is the way; otherwise it is
 *    the stage that answered (`request.stage`), and the handler where that is null.
 * 4. `different(incident, calm)`: the parts of many requests. The place on which a request spends more than on a calm
 *    day, on average over all requests, by the most; `undefined` where none has 50 ms more.
 *
 * Check: `npm run learn`. Look: `npx tsx workspace/10-incidents/06-whose-seconds/exercise.ts`.
 */
import { type Stage, Story } from "effect-lifecycle/lifecycle"
import { calm, letters } from "./recordings.ts"

/** A stage of a service, or a way between two. */
export type Place = `${string}: ${Stage.StageName}` | `${string} to ${string}`

export interface Spent {
  readonly place: Place
  readonly millis: number
}

/** Where the time of one request went, most first. */
export const spentBy = (parts: ReadonlyArray<Story.Part>): ReadonlyArray<Spent> =>
  parts.map(({ durationMillis, service }): Spent => ({ place: `${service}: Handler`, millis: durationMillis }))
    .sort((a, b) => b.millis - a.millis)

/** Where a failure began. */
export const failedFirst = (parts: ReadonlyArray<Story.Part>): Place | undefined => {
  const failed = parts.find(({ request }) => (request?.status ?? 0) >= 500)
  return failed === undefined ? undefined : `${failed.service}: Handler`
}

/** What is different from a calm day. */
export const different = (
  incident: ReadonlyArray<Story.Part>,
  _calm: ReadonlyArray<Story.Part>
): Spent | undefined => spentBy(incident)[0]

if (import.meta.main) {
  const one = letters.filter(({ requestId }) => requestId === "r-3")
  console.log(Story.render(Story.join(one)))
  for (const { millis, place } of spentBy(one)) console.log(`${millis.toFixed(0).padStart(6)} ms  ${place}`)
  const found = different(letters, calm)
  console.log(found === undefined ? "nothing is different" : `${found.millis.toFixed(0)} ms more in ${found.place}`)
}
