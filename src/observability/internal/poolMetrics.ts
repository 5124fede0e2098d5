/** The metrics of pools of connections, under the names that OpenTelemetry's conventions for databases have for them. */
import type { Context } from "effect"
import type { ConnectionReturned, ConnectionWaited, PoolMoved } from "../../lifecycle/Recorder.ts"
import * as Names from "../Names.ts"
import { counter, gauge, histogram } from "./series.ts"

/** The value of the label of a connection that somebody has. */
export const used = "used"

export const make = (): (
  report: PoolMoved | ConnectionWaited | ConnectionReturned,
  context: Context.Context<never>
) => void => {
  const { labels, metrics } = Names
  const count = gauge(metrics.poolCount, "Connections that are in use", [labels.pool, labels.poolState])
  const max = gauge(metrics.poolMax, "Connections that the pool may have", [labels.pool])
  const pending = gauge(metrics.poolPending, "Callers that wait for a connection", [labels.pool])
  const timeouts = counter(metrics.poolTimeouts, "Callers that gave up waiting for a connection", [labels.pool])
  const wait = histogram(metrics.poolWait, "How long callers waited for a connection, in vain or not", [labels.pool])
  const use = histogram(metrics.poolUse, "How long callers kept a connection", [labels.pool])

  return (report, context) => {
    const { pool } = report
    if (report._tag === "PoolMoved") {
      count(pool, used).updateUnsafe(report.inUse, context)
      pending(pool).updateUnsafe(report.waiting, context)
      return max(pool).updateUnsafe(report.size, context)
    }
    const seconds = Math.max(0, Number(report.endNanos - report.startNanos) / 1e9)
    if (report._tag === "ConnectionReturned") return use(pool).updateUnsafe(seconds, context)
    if (report.outcome === "timeout") timeouts(pool).updateUnsafe(1, context)
    return wait(pool).updateUnsafe(seconds, context)
  }
}
