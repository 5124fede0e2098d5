/** What stands before every request: the coarse limit by address, and how many run at once. */
import { Effect } from "effect"
import * as Bulkhead from "../../resilience/Bulkhead.ts"
import * as TrustedHops from "../../server/TrustedHops.ts"
import type { GatewayConfig } from "../GatewayConfig.ts"
import type { AddressLimited } from "../Refusals.ts"
import * as addressLimit from "./addressLimit.ts"
import type { Downstream } from "./downstream.ts"
import type { Runtime } from "./runtime.ts"

export interface Admission {
  readonly limit: (down: Downstream, runtime: Runtime) => Effect.Effect<void, AddressLimited>
  readonly admit: <E>(work: Effect.Effect<void, E>) => Effect.Effect<void, E | Bulkhead.BulkheadRejected>
  readonly resize: (config: GatewayConfig) => Effect.Effect<void>
}

const permitsOf = (config: GatewayConfig): number => config.limits?.concurrency ?? 4096

export const makeAdmission = (config: GatewayConfig): Effect.Effect<Admission> =>
  Effect.gen(function*() {
    const bulkhead = yield* Bulkhead.make({
      name: config.name ?? "gateway",
      permits: permitsOf(config),
      queue: config.limits?.queue,
      maxWait: "5 seconds"
    })
    const addresses = yield* addressLimit.make
    return {
      limit: (down, runtime) => {
        const rate = runtime.config.limits?.rate
        if (rate === undefined) return Effect.void
        const forwarded = down.headers.get("x-forwarded-for")?.join(",")
        return addresses.check(TrustedHops.clientAddress(down.peer, forwarded, runtime.settings.trusts), rate)
      },
      admit: (work) => bulkhead.run(work),
      resize: (next) => bulkhead.resize(permitsOf(next))
    }
  })
