/**
 * The error of a bulkhead, in a file of its own so that the core can raise it and the public module can export it.
 */
import { Schema } from "effect"

/**
 * A bulkhead did not run the call.
 *
 * - `full`: every permit and every place in the queue was taken.
 * - `waitTimeout`: no permit came free within the longest wait, or before the deadline.
 * - `shed`: the call was waiting and gave its place to a more urgent one.
 *
 * @category errors
 * @since 0.1.0
 */
export class BulkheadRejected extends Schema.TaggedError<BulkheadRejected>()("BulkheadRejected", {
  name: Schema.String,
  reason: Schema.Literals(["full", "waitTimeout", "shed"]),
  /** When a permit is likely to be free: the option, or what was measured. */
  retryAfterMillis: Schema.Finite,
  /** The key, where the bulkhead is one of many. */
  key: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const name = this.key === undefined ? `"${this.name}"` : `"${this.name}" of "${this.key}"`
    return `Bulkhead ${name} ${why[this.reason]}: try again in ${this.retryAfterMillis} ms`
  }
}

const why = {
  full: "has no free permit and no free place in its queue",
  waitTimeout: "had no free permit in time",
  shed: "gave the place of this call to a more urgent one"
} as const
