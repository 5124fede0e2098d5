/** The three alarms of orders. They are quick because they have to be: its pool lets a request wait for ten seconds. */
import { Alarms } from "effect-lifecycle/observability"

const service = "orders"
const critical = "POST /orders"

export const poolUse = Alarms.poolUse({ pool: service, atLeast: 0.8, window: "8 seconds", for: "1 second" })
export const latency = Alarms.latency({
  service,
  over: "1 second",
  window: "30 seconds",
  for: "2 seconds",
  minimum: 10
})
export const serverErrors = Alarms.serverErrors({ service, route: critical, window: "5 minutes" })

export const alarms: ReadonlyArray<Alarms.Alarm> = [poolUse, latency, serverErrors]

/** The time between two samples, and between two looks of Prometheus. */
export const interval = "1 second"

/** The same three for Prometheus. */
export const rules = (): string => Alarms.toPrometheusRules(alarms, { group: service, scrapeInterval: interval })
