/** What goes with a saga from the request that starts it into its steps, whichever process runs them. */
import { Effect } from "effect"
import * as Priority from "../../../request/Priority.ts"
import * as Propagation from "../../../request/Propagation.ts"
import * as EventMeta from "../../EventMeta.ts"

/** Its ids, its place in a trace and its priority. A saga outlives who waits for it, so the deadline stays behind. */
export const pack: Effect.Effect<Readonly<Record<string, string>>> = Effect.gen(function*() {
  const { traceparent, tracestate } = yield* Propagation.inject()
  return {
    ...yield* EventMeta.current,
    priority: yield* Priority.Current,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate })
  }
})
