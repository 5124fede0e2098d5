/** Every command is counted and timed by name, without a line in the command's own code. */
import { Effect, Layer, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { Mediator } from "effect-lifecycle/domain"
import { Metrics, Names } from "effect-lifecycle/observability"
import { MemoryStore } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"
import { CreateUser, layer, UserById } from "./support/users.ts"

const program = Effect.gen(function*() {
  yield* Mediator.send(CreateUser, { id: "u-1", name: "John Doe", email: "john@example.com" })
  yield* Effect.ignore(Mediator.send(CreateUser, { id: "u-1", name: "John Doe", email: "john@example.com" }))
  yield* Mediator.query(UserById, { id: "u-1" })

  source("record_command(name, duration) and record_command_error(name, str(e)), written into each domain by hand")
  const text = yield* PrometheusMetrics.format({ metricNameMapper: Names.prometheus })
  for (const line of text.split("\n").filter((line) => /_seconds_count\{/.test(line)).sort()) ours(line)
})

await Effect.runPromise(program.pipe(
  Effect.provide([layer().pipe(Layer.provide(MemoryStore.layer)), Metrics.layer]),
  Effect.provideService(Metric.MetricRegistry, new Map())
))
