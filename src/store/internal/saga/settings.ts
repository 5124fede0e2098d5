/** The options of a worker of sagas, checked. */
import * as Invalid from "../../../resilience/InvalidOption.ts"
import type { WorkOptions } from "../../SagaStore.ts"
import type { Known } from "./SagaBackend.ts"

export interface Limits {
  readonly known: Known
  readonly concurrency: number
  readonly leaseMillis: number
  readonly drainMillis: number
  readonly retentionMillis: number
}

/** The options with their defaults, or what is wrong with one of them. */
export const checked = (
  module: string,
  options: Omit<WorkOptions<never>, "handle">
): Limits | Invalid.InvalidOption => {
  const { concurrency = 16, drain = "10 seconds", lease = "30 seconds", orphanAfter = "1 minute" } = options
  try {
    return {
      known: {
        names: options.definitions.map(({ name }) => name),
        versions: options.definitions.map(({ version }) => version),
        orphanMillis: Invalid.finiteMillis(module, "orphanAfter", orphanAfter)
      },
      concurrency: Invalid.wholeNumber(module, "concurrency", concurrency, 1, 10_000),
      leaseMillis: Invalid.millisBetween(module, "lease", lease, 100),
      drainMillis: Invalid.finiteMillis(module, "drain", drain),
      retentionMillis: Invalid.finiteMillis(module, "retention", options.retention ?? "30 days")
    }
  } catch (error) {
    if (error instanceof Invalid.InvalidOption) return error
    throw error
  }
}
