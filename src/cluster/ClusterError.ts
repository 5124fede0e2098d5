/**
 * What sending a command through the cluster can fail with.
 *
 * @example
 * ```ts
 * import { ClusterError } from "effect-lifecycle/cluster"
 * import assert from "node:assert/strict"
 *
 * const error = new ClusterError.ClusterUnavailable({ aggregate: "Order", id: "o-1", reason: "MailboxFull" })
 * assert.match(error.message, /too many commands wait for it/)
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * The cluster did not take the command, or lost its owner too often. It may have happened: send it again under the same
 * command id.
 *
 * @category errors
 * @since 0.1.0
 */
export class ClusterUnavailable extends Schema.TaggedError<ClusterUnavailable>()("ClusterUnavailable", {
  aggregate: Schema.String,
  id: Schema.String,
  reason: Schema.Literals(["MailboxFull", "NotAssigned", "AlreadyProcessing", "Storage", "Interrupted"])
}) {
  override get message(): string {
    return `${this.aggregate} "${this.id}" has no owner that answers the command (${reasons[this.reason]}). ` +
      "Send it again under the same command id"
  }
}

const reasons = {
  MailboxFull: "too many commands wait for it",
  NotAssigned: "this process is shutting down, or has lost its place in the cluster",
  AlreadyProcessing: "the same message is on its way",
  Storage: "the storage of messages failed",
  Interrupted: "its owners ended before they answered"
} as const
