/** The options of a subscription that have limits, checked. */
import * as Invalid from "../../../resilience/InvalidOption.ts"
import type { Options } from "../../Subscription.ts"
import { isStorable } from "../text.ts"

export interface Limits {
  readonly batchSize: number
  readonly partitions: number
  readonly leaseMillis: number
  readonly timeoutMillis: number
}

export type Limited = Pick<Options<never, never>, "name" | "batchSize" | "partitions" | "lease" | "timeout">

/** How long a handler may take where nobody says so. */
const leastTimeoutMillis = 60_000

/** The options with their defaults, or what is wrong with one of them. */
export const checked = (module: string, options: Limited): Limits | Invalid.InvalidOption => {
  const { batchSize = 100, lease = "10 seconds", name, partitions = 1, timeout } = options
  try {
    if (name === "" || name.length > 255 || !isStorable(name)) {
      throw new Invalid.InvalidOption({
        module,
        option: "name",
        value: JSON.stringify(name),
        allowed: "1 to 255 characters without NUL and half surrogate pairs"
      })
    }
    const leaseMillis = Invalid.millisBetween(module, "lease", lease, 100)
    return {
      batchSize: Invalid.wholeNumber(module, "batchSize", batchSize, 1, 10_000),
      partitions: Invalid.wholeNumber(module, "partitions", partitions, 1, 256),
      leaseMillis,
      timeoutMillis: timeout === undefined
        ? Math.max(leastTimeoutMillis, leaseMillis)
        : Invalid.millisBetween(module, "timeout", timeout, 1)
    }
  } catch (error) {
    if (error instanceof Invalid.InvalidOption) return error
    throw error
  }
}
