import { Schema } from "effect"

/**
 * The call was not made: the circuit is open, half open with all probes under way, or isolated.
 *
 * @category errors
 * @since 0.1.0
 */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>()("CircuitOpen", {
  /** The breaker's name. */
  name: Schema.String,
  /** Which of its circuits; the name again where there is only one. */
  key: Schema.String,
  /** 0 when a probe may end at any moment; of an isolated circuit a guess, since a person decides. */
  retryAfterMillis: Schema.Finite,
  /** Somebody isolated the circuit by hand. */
  isolated: Schema.Boolean
}) {
  override get message(): string {
    const circuit = this.key === this.name ? `Circuit "${this.name}"` : `Circuit "${this.key}" of "${this.name}"`
    if (this.isolated) return `${circuit} is isolated by hand; calls may run again when that ends`
    if (this.retryAfterMillis === 0) return `${circuit} is half open and all its probes are under way`
    return `${circuit} is open; a probe may run in ${Math.ceil(this.retryAfterMillis)} ms`
  }
}
