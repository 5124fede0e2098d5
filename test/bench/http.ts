/**
 * The way in, measured: the stack beside a bare router, stage by stage and beside other frameworks; the gateway beside nginx;
 * ten thousand idle connections; and three times the load it can take.
 *
 * `BENCH_PARTS=stack,gateway` runs some parts only, `BENCH_QUICK=1` everything once in seconds, to see that it runs.
 */
import { Effect } from "effect"
import { loadavg } from "node:os"
import * as Gateways from "./http/gateway.ts"
import * as Idle from "./http/idle.ts"
import { machinery } from "./http/measure.ts"
import * as Overload from "./http/overload.ts"
import * as Peers from "./http/peers.ts"
import * as Processes from "./http/processes.ts"
import * as Stack from "./http/stack.ts"
import * as Stages from "./http/stages.ts"
import type { Row, Suite } from "./Suite.ts"

const parts = {
  stack: Stack.rows,
  stages: () => Stages.rows,
  peers: Peers.rows,
  gateway: Gateways.rows,
  idle: Idle.rows,
  overload: Overload.rows
}

export const http: Suite<never> = {
  name: "http",
  rows: Effect.gen(function*() {
    const load = yield* Processes.start(machinery.load)
    const chosen = process.env["BENCH_PARTS"]?.split(",") ?? Object.keys(parts)
    const rows: Array<Row> = []
    for (const [name, part] of Object.entries(parts)) {
      if (!chosen.includes(name)) continue
      const before = loadavg()[0] ?? 0
      const started = performance.now()
      rows.push(...yield* part(load))
      const seconds = (performance.now() - started) / 1000
      console.log(`${name}: ${seconds.toFixed(0)} s, load average ${before.toFixed(1)} before`)
    }
    return rows
  }).pipe(Effect.scoped)
}
