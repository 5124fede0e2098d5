import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Metric } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Metrics, Names, Spans } from "effect-lifecycle/observability"
import { PrometheusMetrics } from "effect/observability"
import { readFileSync } from "node:fs"
import { called, command, ended, stageTimed, started } from "./reports.ts"

const report = (...reports: ReadonlyArray<Recorder.Report>) =>
  Effect.forEach(reports, (one) => Recorder.report(() => one), { discard: true })

const format = PrometheusMetrics.format({ metricNameMapper: Names.prometheus })

/** Runs with a registry of its own and gives the lines of the exposition. */
const exposed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.andThen(format),
    Effect.map((text) => text.split("\n")),
    Effect.provide(Metrics.layer, { local: true }),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

describe("Metrics", () => {
  it.effect("counts a served request once, by service, method, scheme, route template and status, in seconds", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(report(started(), ended(), started(), ended({ status: 503, outcome: "failed" })))
      const labels = (status: number) =>
        `service_name="orders",http_request_method="GET",url_scheme="https",http_route="/orders/:id",` +
        `http_response_status_code="${status}"`
      assert.include(lines, "# TYPE http_server_request_duration_seconds histogram")
      assert.include(lines, `http_server_request_duration_seconds_count{${labels(200)}} 1`)
      assert.include(lines, `http_server_request_duration_seconds_sum{${labels(200)}} 0.0015`)
      assert.include(lines, `http_server_request_duration_seconds_count{${labels(503)}} 1`)
    }))

  it.effect("has the buckets of OpenTelemetry's conventions", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(report(ended({ endNanos: 10_000_000n + 80_000_000n })))
      const buckets = lines.flatMap((line) => {
        const match = /^http_server_request_duration_seconds_bucket\{.*le="([^"]+)"\} (\d+)$/.exec(line)
        return match === null ? [] : [[match[1], Number(match[2])]]
      })
      assert.deepStrictEqual(
        buckets,
        [
          ...["0.005", "0.01", "0.025", "0.05", "0.075"].map((le) => [le, 0]),
          ...["0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10", "+Inf"].map((le) => [le, 1])
        ]
      )
    }))

  it.effect("knows how many requests are being served", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(
        report(started(), started(), started("BREW"), started("GET", "http"), ended(), ended({ scheme: "http" }))
      )
      const active = (method: string, scheme: string) =>
        `http_server_active_requests{service_name="orders",http_request_method="${method}",url_scheme="${scheme}"}`
      assert.include(lines, `${active("GET", "https")} 1`)
      assert.include(lines, `${active("GET", "http")} 0`)
      assert.include(lines, `${active("_OTHER", "https")} 1`)
    }))

  it.effect("never takes a label from a caller: unknown methods are _OTHER, requests without a route unmatched", () =>
    Effect.gen(function*() {
      const many = Array.from(
        { length: 200 },
        (_, i) =>
          ended({
            method: `M${i}`,
            // A server that does not say it, such as one of an older version.
            scheme: undefined,
            route: undefined,
            path: `/canary-${i}`,
            status: 404,
            requestId: `canary-${i}`,
            userId: `canary-${i}`
          })
      )
      const lines = yield* exposed(report(...many))
      const counts = lines.filter((line) => line.startsWith("http_server_request_duration_seconds_count"))
      assert.deepStrictEqual(counts, [
        `http_server_request_duration_seconds_count{service_name="orders",http_request_method="_OTHER",` +
        `url_scheme="_OTHER",http_route="unmatched",http_response_status_code="404"} 200`
      ])
      assert.notInclude(lines.join("\n"), "canary")
    }))

  it.effect("counts further combinations of labels together once there are too many", () =>
    Effect.gen(function*() {
      const many = Array.from({ length: Metrics.maxSeries + 50 }, (_, i) => called({ endpoint: `http://host-${i}` }))
      const lines = yield* exposed(report(...many))
      const counts = lines.filter((line) => line.startsWith("http_client_request_duration_seconds_count"))
      assert.strictEqual(counts.length, Metrics.maxSeries + 1)
      assert.match(counts.at(-1)!, /server_address="_OTHER".* 50$/)
    }))

  it.effect("counts one logical call to another service, and all its attempts", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(
        report(called({ attempts: 3 }), called({ status: undefined, route: undefined, attempts: 2 }))
      )
      const call = `http_request_method="POST",server_address="http://payments:4102"`
      assert.include(
        lines,
        `http_client_request_duration_seconds_count{${call},url_template="/payments",http_response_status_code="201"} 1`
      )
      assert.include(
        lines,
        `http_client_request_duration_seconds_count{${call},url_template="unmatched",http_response_status_code="none"} 1`
      )
      assert.include(lines, `http_client_request_attempts_total{${call},url_template="/payments"} 3`)
    }))

  it.effect("counts commands by name, kind, outcome and error tag", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(
        report(
          command(),
          command({ outcome: "failure", errorTag: "OutOfStock" }),
          command({ kind: "query", name: "orders.Get" })
        )
      )
      const count = (name: string, kind: string, outcome: string, error: string) =>
        `domain_command_duration_seconds_count{command_name="${name}",command_kind="${kind}",command_outcome="${outcome}",error_type="${error}"} 1`
      assert.include(lines, count("orders.Place", "command", "success", "none"))
      assert.include(lines, count("orders.Place", "command", "failure", "OutOfStock"))
      assert.include(lines, count("orders.Get", "query", "success", "none"))
    }))

  it.effect("counts ignored headers, missed deadlines, failed hooks, defects and stages", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(report(
        { _tag: "HeaderIgnored", header: "x-request-timeout", reason: "canary" },
        { _tag: "HeaderIgnored", header: "x-request-timeout", reason: "canary" },
        { _tag: "DeadlineMissed", budgetMillis: 10 },
        { _tag: "HookFailed", hook: "notify", command: "orders.Place", attempt: 1, willRetry: true },
        { _tag: "DefectCaught", stage: "Handler", requestId: "r", cause: Cause.die("canary") },
        stageTimed()
      ))
      assert.include(lines, `lifecycle_headers_ignored_total{header="x-request-timeout"} 2`)
      assert.include(lines, `lifecycle_deadlines_missed_total 1`)
      assert.include(
        lines,
        `domain_hooks_failed_total{hook_name="notify",command_name="orders.Place",hook_will_retry="true"} 1`
      )
      assert.include(lines, `lifecycle_defects_total{lifecycle_stage="Handler"} 1`)
      assert.include(lines, `lifecycle_stage_duration_seconds_count{lifecycle_stage="Handler"} 1`)
      assert.include(lines, `lifecycle_stage_duration_seconds_bucket{lifecycle_stage="Handler",le="0.001"} 0`)
      assert.include(lines, `lifecycle_stage_duration_seconds_bucket{lifecycle_stage="Handler",le="0.0025"} 1`)
      assert.notInclude(lines.join("\n"), "canary")
    }))

  it.effect("shows how far subscriptions are behind, what they skipped, and what holds the mark", () =>
    Effect.gen(function*() {
      const observed: Recorder.SubscriptionObserved = {
        _tag: "SubscriptionObserved",
        subscription: "totals",
        lag: 12,
        lagMillis: 2500,
        owned: 3,
        paused: 1,
        deadLetters: 2,
        mark: 500,
        gapMillis: 750,
        holders: 4
      }
      const lines = yield* exposed(report(
        { ...observed, lag: 99 },
        observed,
        { _tag: "EventBuried", subscription: "totals" },
        { _tag: "EventBuried", subscription: "totals" }
      ))
      const named = `subscription_name="totals"`
      for (
        const line of [
          `store_subscription_lag{${named}} 12`,
          `store_subscription_lag_duration_seconds{${named}} 2.5`,
          `store_subscription_partitions_owned{${named}} 3`,
          `store_subscription_partitions_paused{${named}} 1`,
          `store_subscription_dead_letters{${named}} 2`,
          `store_subscription_events_skipped_total{${named}} 2`,
          `store_high_water_mark 500`,
          `store_high_water_gap_duration_seconds 0.75`,
          `store_high_water_gap_holders 4`
        ]
      ) assert.include(lines, line)
    }))

  it.effect("counts what guards do: attempts, waits, denials, calls, transitions, refusals, fallbacks, chaos", () =>
    Effect.gen(function*() {
      const times = { startNanos: 0n, endNanos: 2_000_000n }
      const circuit = { name: "payments", key: "http://a" }
      const lines = yield* exposed(report(
        { _tag: "AttemptEnded", name: "pay", attempt: 2, kind: "retry", verdict: "accept", ...times },
        { _tag: "RetryDelayed", name: "pay", retry: 1, delayMillis: 50 },
        { _tag: "BudgetDenied", name: "pay", kind: "hedge" },
        { _tag: "CircuitCalled", ...circuit, outcome: "failure", slow: false },
        { _tag: "CircuitMoved", ...circuit, from: "Closed", to: "Open" },
        { _tag: "BulkheadMoved", name: "pay", inFlight: 3, queued: 2, limit: 4 },
        { _tag: "BulkheadRefused", name: "pay", reason: "full" },
        { _tag: "FallbackUsed", name: "pay", trigger: "CircuitOpen" },
        { _tag: "ChaosInjected", name: "pay", kind: "latency" },
        {
          _tag: "ClientAttemptEnded",
          method: "GET",
          endpoint: "http://a",
          route: "/users/{id}",
          status: 200,
          attempt: 1,
          kind: "primary",
          ...times
        }
      ))
      const named = "resilience_name=\"pay\""
      const keyed = "resilience_name=\"payments\",circuit_breaker_key=\"http://a\""
      for (
        const line of [
          `resilience_attempts_total{${named},attempt_kind="retry",attempt_verdict="accept"} 1`,
          `resilience_retry_delay_duration_seconds_sum{${named}} 0.05`,
          `resilience_budget_denied_total{${named},attempt_kind="hedge"} 1`,
          `circuit_breaker_calls_total{${keyed},circuit_breaker_outcome="failure",circuit_breaker_slow="false"} 1`,
          `circuit_breaker_state{${keyed}} 2`,
          `circuit_breaker_transitions_total{${keyed},circuit_breaker_from="Closed",circuit_breaker_to="Open"} 1`,
          `bulkhead_in_flight{${named}} 3`,
          `bulkhead_queued{${named}} 2`,
          `bulkhead_limit{${named}} 4`,
          `bulkhead_rejected_total{${named},reason="full"} 1`,
          `resilience_fallbacks_total{${named},error_type="CircuitOpen"} 1`,
          `resilience_chaos_total{${named},chaos_kind="latency"} 1`,
          `http_client_attempt_duration_seconds_count{http_request_method="GET",server_address="http://a",` +
          `url_template="/users/{id}",http_response_status_code="200",attempt_kind="primary"} 1`
        ]
      ) assert.include(lines, line)
    }))

  it.effect("writes an exposition that Prometheus can read", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(
        report(started(), ended({ route: "/a\"b\\c\nd" }), called(), command(), stageTimed())
      )
      for (const line of lines.filter((text) => text !== "")) {
        assert.match(
          line,
          /^(# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .+|[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_]\w*="([^"\\\n]|\\["\\n])*"(,[a-zA-Z_]\w*="([^"\\\n]|\\["\\n])*")*\})? [-+.\deE]+(Inf)?)$/
        )
      }
      assert.strictEqual(
        new Set(lines.filter((line) => line.startsWith("# TYPE"))).size,
        lines.filter((line) => line.startsWith("# TYPE")).length
      )
    }))

  it.effect("counts every value, however many come between two looks, and however often somebody looks", () =>
    Effect.gen(function*() {
      const many = (times: number) => Effect.repeat(report(stageTimed()), { times: times - 1 })
      const seen = (count: number) =>
        Effect.map(format, (text) => {
          assert.include(text, `lifecycle_stage_duration_seconds_count{lifecycle_stage="Handler"} ${count}\n`)
          assert.include(
            text,
            `lifecycle_stage_duration_seconds_bucket{lifecycle_stage="Handler",le="0.0025"} ${count}\n`
          )
        })
      yield* exposed(Effect.gen(function*() {
        yield* many(63)
        yield* seen(63)
        yield* seen(63)
        yield* many(200)
        yield* seen(263)
      }))
    }))

  it.effect("writes into one registry from several recorders, and into several from one", () =>
    Effect.gen(function*() {
      const first = Metrics.make()
      const second = Metrics.make()
      const registries = [new Map(), new Map()] as const
      const told = (recorder: Recorder.Recorder, registry: Metric.MetricRegistry) =>
        report(started(), ended(), { _tag: "DeadlineMissed", budgetMillis: 1 }).pipe(
          Recorder.recordTo(recorder),
          Effect.provideService(Metric.MetricRegistry, registry)
        )
      yield* told(first, registries[0])
      yield* told(second, registries[0])
      yield* told(first, registries[1])
      yield* told(first, registries[0])
      const count = (registry: Metric.MetricRegistry) =>
        Effect.map(Effect.provideService(format, Metric.MetricRegistry, registry), (text) => [
          /^lifecycle_deadlines_missed_total (\d+)$/m.exec(text)?.[1],
          /^http_server_request_duration_seconds_count\{.*\} (\d+)$/m.exec(text)?.[1],
          /^http_server_active_requests\{.*\} (\d+)$/m.exec(text)?.[1]
        ])
      assert.deepStrictEqual(yield* count(registries[0]), ["3", "3", "0"])
      assert.deepStrictEqual(yield* count(registries[1]), ["1", "1", "0"])
    }))

  it.effect("keeps the attributes that are in force apart", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(
        Effect.forEach(["a", "b", "a"], (zone) =>
          report({ _tag: "DeadlineMissed", budgetMillis: 1 }).pipe(
            Effect.provideService(Metric.CurrentMetricAttributes, { zone })
          ))
      )
      assert.include(lines, `lifecycle_deadlines_missed_total{zone="a"} 2`)
      assert.include(lines, `lifecycle_deadlines_missed_total{zone="b"} 1`)
    }))

  it.effect("never records a negative duration", () =>
    Effect.gen(function*() {
      const lines = yield* exposed(report(stageTimed({ endNanos: 0n })))
      assert.include(lines, `lifecycle_stage_duration_seconds_sum{lifecycle_stage="Handler"} 0`)
    }))

  describe("beside other listeners", () => {
    const count = "lifecycle_deadlines_missed_total"
    const missed: Recorder.Report = { _tag: "DeadlineMissed", budgetMillis: 1 }
    const registry = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.provideService(effect, Metric.MetricRegistry, new Map())
    const seen = (effect: Effect.Effect<unknown>, layer: Layer.Layer<never>) =>
      Effect.gen(function*() {
        const outer: Array<string> = []
        const text = yield* effect.pipe(
          Effect.andThen(format),
          Effect.provide(layer, { local: true }),
          Recorder.recordTo((one) => outer.push(one._tag)),
          Effect.provideService(Metric.MetricRegistry, new Map())
        )
        return { outer, counted: /^lifecycle_deadlines_missed_total (\d+)$/m.exec(text)?.[1] }
      })

    it.effect("keeps the recorder that was there", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* seen(report(missed), Metrics.layer), { outer: ["DeadlineMissed"], counted: "1" })
      }))

    it.effect("counts once whether layers are merged or provided to one another", () =>
      Effect.gen(function*() {
        const ways = [
          Layer.merge(Metrics.layer, Spans.layer),
          Layer.merge(Spans.layer, Metrics.layer),
          Metrics.layer.pipe(Layer.provideMerge(Spans.layer)),
          Spans.layer.pipe(Layer.provideMerge(Metrics.layer))
        ]
        for (const way of ways) {
          assert.deepStrictEqual(yield* seen(report(missed), way), { outer: ["DeadlineMissed"], counted: "1" })
        }
      }))

    it.effect("counts once when a listener was added between two layers", () =>
      Effect.gen(function*() {
        const inner: Array<string> = []
        const text = yield* report(missed).pipe(
          Effect.andThen(format),
          Effect.provide(Metrics.layer),
          Recorder.recordTo((one) => inner.push(one._tag)),
          Effect.provide(Spans.layer),
          registry
        )
        assert.deepStrictEqual(inner, ["DeadlineMissed"])
        assert.include(text, `${count} 1\n`)
      }))

    it.effect("stops counting when its layer is released", () =>
      Effect.gen(function*() {
        const text = yield* Effect.gen(function*() {
          yield* Effect.scoped(report(missed).pipe(Effect.provide(Metrics.layer)))
          yield* report(missed)
          return yield* format
        }).pipe(Effect.provide(Spans.layer), registry)
        assert.include(text, `${count} 1\n`)
      }))
  })
})

describe("Names", () => {
  it("are each used once", () => {
    for (const group of [Names.metrics, Names.labels, Names.attributes, Names.fields]) {
      const values: ReadonlyArray<string> = Object.values(group)
      assert.strictEqual(new Set(values).size, values.length)
    }
  })

  it("are listed in the room's README", () => {
    const readme = readFileSync(new URL("../../src/observability/README.md", import.meta.url), "utf8")
    for (const name of Object.values(Names.metrics)) assert.include(readme, `\`${name}\``)
    for (const name of Object.values(Names.fields)) assert.include(readme, `\`${name}\``)
  })

  it("leaves names that are not ours alone", () => {
    assert.strictEqual(Names.prometheus("app.boot.duration"), "app_boot_duration")
  })
})
