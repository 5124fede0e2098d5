import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Alarms, Metrics, Names } from "effect-lifecycle/observability"
import { PrometheusMetrics } from "effect/observability"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { alarms, latency, poolUse, rules, serverErrors } from "../../lessons/service/incident/alarms.ts"
import {
  busyLunch,
  deployments,
  leak,
  ordinaryDay,
  record,
  silentNeighbour,
  slowerNeighbour
} from "./recordings.ts"
import { ended } from "./reports.ts"

const pool = "db.client.connection.pool.name"
const used = (millis: number, values: Readonly<Record<string, number>>, size = 5): Alarms.Sample => ({
  millis,
  series: Object.entries(values).flatMap(([name, value]) => [
    { id: Names.metrics.poolCount, labels: { [pool]: name, "db.client.connection.state": "used" }, value },
    { id: Names.metrics.poolMax, labels: { [pool]: name }, value: size }
  ])
})

const route = (method: string, path: string, status: number, scheme = "https") => ({
  "service.name": "orders",
  "http.request.method": method,
  "url.scheme": scheme,
  "http.route": path,
  "http.response.status_code": String(status)
})

const answers = (
  millis: number,
  ...counts: ReadonlyArray<readonly [status: number, count: number]>
): Alarms.Sample => ({
  millis,
  series: counts.map(([status, value]) => ({
    id: Names.metrics.serverDuration,
    labels: route("POST", "/orders", status),
    value
  }))
})

/** A histogram of requests that took 0.2 s, and of slow ones that took 2 s. */
const durations = (millis: number, quick: number, slow: number, path = "/orders"): Alarms.Sample => ({
  millis,
  series: [{
    id: Names.metrics.serverDuration,
    labels: route("POST", path, 201),
    value: quick + slow,
    buckets: Metrics.boundaries.map((bound) =>
      [bound, (bound >= 0.25 ? quick : 0) + (bound >= 2.5 ? slow : 0)] as const
    )
  }]
})

const told = (changes: ReadonlyArray<Alarms.Change>) => changes.map(({ millis, state }) => [millis / 1000, state])

const firing = (changes: ReadonlyArray<Alarms.Change>, alarm: Alarms.Alarm) =>
  changes.filter((change) => change.alarm === alarm.name && change.state === "firing").map(({ millis }) => millis)

describe("Alarms", () => {
  describe("over days of orders", () => {
    for (const [name, day] of Object.entries({ silentNeighbour, slowerNeighbour, leak })) {
      it.effect(`the alarm of the pool fires before the first 500: ${name}`, () =>
        Effect.gen(function*() {
          const { first500Millis, requests, samples } = yield* record(alarms, 12, day)
          const changes = Alarms.evaluate(alarms, samples)
          const failure = first500Millis ?? assert.fail("the pool did not run dry")
          assert.isAbove(requests, 5000)
          const [first = Infinity] = firing(changes, poolUse)
          assert.isBelow(first, failure)
          // Not by chance: everything is well for the first three minutes.
          assert.isAtLeast(first, 180_000)
          // The error itself is seen with the next sample.
          const [error = Infinity] = firing(changes, serverErrors)
          assert.isAtMost(error - failure, 1000)
          assert.isAbove(error, first)
        }), 60_000)
    }

    it.effect(
      "the alarm of the latency fires before the first 500 where requests become slow before they fail",
      () =>
        Effect.gen(function*() {
          for (const day of [slowerNeighbour, leak]) {
            const { first500Millis = 0, samples } = yield* record(alarms, 12, day)
            const [first = Infinity] = firing(Alarms.evaluate(alarms, samples), latency)
            assert.isBelow(first, first500Millis)
            assert.isAtLeast(first, 180_000)
          }
        }),
      60_000
    )

    for (const [name, day] of Object.entries({ ordinaryDay, deployments, busyLunch })) {
      it.effect(`no alarm fires on a calm day: ${name}`, () =>
        Effect.gen(function*() {
          const { first500Millis, requests, samples } = yield* record(alarms, 15, day)
          assert.isUndefined(first500Millis)
          assert.isAbove(requests, 10_000)
          const changes = Alarms.evaluate(alarms, samples)
          assert.deepStrictEqual(changes.filter(({ state }) => state === "firing"), [])
        }), 60_000)
    }
  })

  describe("poolUse", () => {
    const alarm = Alarms.poolUse({ atLeast: 0.8, window: "10 seconds", for: "4 seconds" })
    const every2 = (values: ReadonlyArray<number>) => values.map((value, i) => used(i * 2000, { orders: value }))

    it("is pending while the mean of the window is at the limit, fires after its time, and ends with the first good one", () => {
      // The mean of up to five samples: 12 of 15 at 4 s, all at 14 s, 20 of 25 at 16 s, 15 of 25 at 18 s.
      const changes = Alarms.evaluate([alarm], every2([2, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0]))
      assert.deepStrictEqual(told(changes), [[4, "pending"], [8, "firing"], [18, "resolved"]])
      assert.deepStrictEqual(
        changes.map(({ labels }) => labels),
        Array.from({ length: 3 }, () => ({ [pool]: "orders" }))
      )
      assert.strictEqual(changes[0]?.value, 0.8)
      assert.isUndefined(changes[2]?.value)
    })

    it("begins to count anew after each good sample", () => {
      const short = Alarms.poolUse({ window: "1 second", for: "4 seconds" })
      assert.deepStrictEqual(told(Alarms.evaluate([short], every2([5, 5, 0, 5, 5, 0]))), [
        [0, "pending"],
        [4, "resolved"],
        [6, "pending"],
        [10, "resolved"]
      ])
    })

    it("keeps pools apart, and looks at one of them where it is named", () => {
      const samples = [0, 4].map((second) => used(second * 1000, { orders: 1, reports: 5 }))
      const quick = { window: "2 seconds", for: 0 } as const
      assert.deepStrictEqual(
        Alarms.evaluate([Alarms.poolUse(quick)], samples).map(({ labels, state }) => [labels[pool], state]),
        [["reports", "firing"]]
      )
      assert.deepStrictEqual(Alarms.evaluate([Alarms.poolUse({ ...quick, pool: "orders" })], samples), [])
    })

    it("measures by the size that the pool has", () => {
      const quick = Alarms.poolUse({ window: "2 seconds", for: 0 })
      assert.deepStrictEqual(Alarms.evaluate([quick], [used(0, { orders: 5 }, 10)]), [])
      assert.strictEqual(Alarms.evaluate([quick], [used(0, { orders: 8 }, 10)])[0]?.value, 0.8)
    })
  })

  describe("latency", () => {
    const alarm = Alarms.latency({ over: "1 second", window: "1 minute", for: 0, minimum: 20 })

    it("looks at what ended in the window, not at all that ever was", () => {
      const samples = [
        durations(0, 10_000, 0),
        durations(30_000, 10_050, 0),
        durations(60_000, 10_100, 5), // 5 of 105 in the last minute
        durations(180_000, 10_200, 5)
      ]
      const changes = Alarms.evaluate([alarm], samples)
      assert.deepStrictEqual(told(changes), [[60, "firing"], [180, "resolved"]])
      assert.closeTo(changes[0]?.value ?? 0, 2.2, 0.3) // inside the bucket from 1 to 2.5 s
    })

    it("says nothing of fewer requests than its minimum", () => {
      assert.deepStrictEqual(Alarms.evaluate([alarm], [durations(0, 0, 0), durations(10_000, 10, 9)]), [])
      assert.strictEqual(Alarms.evaluate([alarm], [durations(0, 0, 0), durations(10_000, 10, 10)]).length, 1)
    })

    it("keeps routes apart, and takes the process that began anew for what it is", () => {
      const mixed = (millis: number, quick: number, slow: number): Alarms.Sample => ({
        millis,
        series: [...durations(millis, quick, 0).series, ...durations(millis, 0, slow, "/reports").series]
      })
      const changes = Alarms.evaluate([alarm], [mixed(0, 1000, 0), mixed(10_000, 50, 30)])
      assert.deepStrictEqual(changes.map(({ labels }) => labels["http.route"]), ["/reports"])
      const restarted = Alarms.evaluate([alarm], [durations(0, 0, 500), durations(10_000, 100, 0)])
      assert.deepStrictEqual(restarted, [])
      const slowSince = Alarms.evaluate([alarm], [durations(0, 300, 200), durations(10_000, 80, 40)])
      assert.closeTo(slowSince[0]?.value ?? 0, 2.5, 0.1)
    })

    it("takes a route's requests together, however they were asked", () => {
      const both = (millis: number, quick: number, slow: number): Alarms.Sample => {
        const { series } = durations(millis, quick, slow)
        return {
          millis,
          series: ["http", "https"].flatMap((scheme) =>
            series.map((one) => ({ ...one, labels: { ...one.labels, "url.scheme": scheme } }))
          )
        }
      }
      // Ten of each are below the minimum of twenty; there is one alarm, and it does not name the scheme.
      const changes = Alarms.evaluate([alarm], [both(0, 0, 0), both(10_000, 5, 5)])
      assert.deepStrictEqual(changes.map(({ labels }) => labels), [{
        "service.name": "orders",
        "http.request.method": "POST",
        "http.route": "/orders"
      }])
    })

    it("interpolates inside a bucket as Prometheus does", () => {
      const p50 = Alarms.latency({ over: "100 millis", quantile: 0.5, window: "1 minute", for: 0, minimum: 1 })
      const [change] = Alarms.evaluate([p50], [durations(0, 0, 0), durations(1000, 100, 0)])
      assert.closeTo(change?.value ?? 0, 0.175, 1e-9) // halfway from 0.1 to 0.25
    })
  })

  describe("serverErrors", () => {
    const alarm = Alarms.serverErrors({ route: "POST /orders" })

    it("fires with the first one, of a status that was never seen before, and for five minutes", () => {
      const samples = [
        answers(0, [201, 5]),
        answers(60_000, [201, 9], [500, 1]),
        answers(300_000, [201, 9], [500, 1]),
        answers(359_999, [201, 9], [500, 1]),
        answers(360_000, [201, 9], [500, 1])
      ]
      // Beside one that remembers more, it looks no further back.
      const all = [alarm, Alarms.poolUse({ window: "1 hour" })]
      assert.deepStrictEqual(told(Alarms.evaluate(all, samples)), [[60, "firing"], [360, "resolved"]])
    })

    it("is silent about other routes, other statuses, and what had happened before", () => {
      const elsewhere = { id: Names.metrics.serverDuration, labels: route("GET", "/orders", 500), value: 1 }
      assert.deepStrictEqual(
        Alarms.evaluate([alarm], [
          answers(0, [500, 7]),
          { millis: 1000, series: [...answers(1000, [500, 7], [499, 3], [404, 2]).series, elsewhere] }
        ]),
        []
      )
    })
  })

  it.effect("a sample holds the metrics of the alarms and no others, as plain data", () =>
    Effect.gen(function*() {
      yield* Recorder.report(() => ({ _tag: "PoolMoved", pool: "orders", inUse: 4, waiting: 2, size: 5 }))
      yield* Recorder.report(() => ended({ status: 500 }))
      const sample = yield* Alarms.sample([Alarms.poolUse()])
      assert.deepStrictEqual(sample, used(0, { orders: 4 }))
      const all = yield* Alarms.sample(alarms)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(all)), JSON.parse(JSON.stringify({ ...all })))
      assert.strictEqual(all.series.find(({ buckets }) => buckets !== undefined)?.value, 1)
    }).pipe(
      Effect.provide(Metrics.layer, { local: true }),
      Effect.provideService(Metric.MetricRegistry, new Map())
    ))

  it("refuses alarms that could never ring, or would ring always", () => {
    const refused: ReadonlyArray<readonly [() => unknown, RegExp]> = [
      [() => Alarms.poolUse({ atLeast: 0 }), /poolUse: atLeast must be above 0, up to 1, got 0/],
      [() => Alarms.poolUse({ atLeast: 80 }), /atLeast/],
      [() => Alarms.poolUse({ window: 0 }), /window must be longer than zero/],
      [() => Alarms.poolUse({ for: "Infinity" }), /for must be a finite time/],
      [() => Alarms.latency({ over: "10 seconds" }), /over must be above 0 and below 10000 ms/],
      [() => Alarms.latency({ over: "1 second", quantile: 99 }), /quantile must be between 0 and 1/],
      [() => Alarms.latency({ over: "1 second", minimum: 0 }), /minimum must be a whole number from 1/],
      [() => Alarms.serverErrors({ route: "/orders" }), /route must be a method and a route's template/],
      [() => Alarms.toPrometheusRules([poolUse]), /the window of PoolUse must be two scrapes, 30000 ms, or more/],
      [() => Alarms.toPrometheusRules([Alarms.poolUse(), Alarms.poolUse()]), /name must be another one for each alarm/]
    ]
    for (const [make, message] of refused) assert.throws(make, message)
  })

  describe("toPrometheusRules", () => {
    it("writes a rule file", () => {
      const text = Alarms.toPrometheusRules([Alarms.poolUse({ pool: "orders" })], { group: "shop" })
      assert.strictEqual(
        text,
        `groups:
  - name: "shop"
    interval: 15s
    rules:
      - alert: "PoolUse"
        expr: |-
          avg_over_time(db_client_connection_count{db_client_connection_state="used", db_client_connection_pool_name="orders"}[1m])
            / ignoring (db_client_connection_state) db_client_connection_max{db_client_connection_pool_name="orders"}
            >= 0.8
        for: 15s
        labels:
          severity: "page"
        annotations:
          summary: "A pool of connections is nearly all in use"
          description: "Find what holds the connections: a transaction that is open over a call, a lease that is not given back"
`
      )
    })

    it.effect("names metrics and labels as the exposition does", () =>
      Effect.gen(function*() {
        yield* Recorder.report(() => ({ _tag: "PoolMoved", pool: "orders", inUse: 4, waiting: 2, size: 5 }))
        yield* Recorder.report(() => ended({ status: 500 }))
        const exposition = yield* PrometheusMetrics.format({ metricNameMapper: Names.prometheus })
        const metrics = [...rules().matchAll(/[a-z_]+(?=\{|$)/gm)].map(([name]) => name).filter((name) =>
          name.includes("_")
        )
        assert.includeMembers(metrics, [
          "db_client_connection_count",
          "db_client_connection_max",
          "http_server_request_duration_seconds_bucket",
          "http_server_request_duration_seconds_count"
        ])
        const labels = [...rules().matchAll(/([a-z_]+)=~?"/g)].map(([, name = ""]) => name)
        for (const name of [...metrics.map((name) => `${name}{`), ...labels.map((label) => `${label}="`)]) {
          assert.include(exposition, name)
        }
      }).pipe(
        Effect.provide(Metrics.layer, { local: true }),
        Effect.provideService(Metric.MetricRegistry, new Map())
      ))

    const promtool = spawnSync("promtool", ["--version"]).status === 0
    it.skipIf(!promtool)("says to Prometheus what it says here (promtool)", () => {
      const folder = mkdtempSync(join(tmpdir(), "lc-rules-"))
      try {
        writeFileSync(join(folder, "rules.yml"), rules())
        writeFileSync(join(folder, "test.yml"), promtoolTest)
        execFileSync("promtool", ["check", "rules", "rules.yml"], { cwd: folder })
        execFileSync("promtool", ["test", "rules", "test.yml"], { cwd: folder, encoding: "utf8" })
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    })
  })
})

const promtoolTest = `
rule_files: [rules.yml]
evaluation_interval: 1s
tests:
  - interval: 1s
    input_series:
      - series: 'db_client_connection_count{db_client_connection_pool_name="orders",db_client_connection_state="used",instance="a"}'
        values: '1x30 5x30 0x30'
      - series: 'db_client_connection_max{db_client_connection_pool_name="orders",instance="a"}'
        values: '5x120'
      - series: 'http_server_request_duration_seconds_count{service_name="orders",http_request_method="POST",url_scheme="http",http_route="/orders",http_response_status_code="500",instance="a"}'
        values: '_x60 1x400'
    alert_rule_test:
      - { eval_time: 36s, alertname: PoolUse, exp_alerts: [] }
      - eval_time: 39s
        alertname: PoolUse
        exp_alerts:
          - exp_labels: { severity: page, db_client_connection_pool_name: orders, instance: a }
            exp_annotations:
              summary: A pool of connections is nearly all in use
              description: "Find what holds the connections: a transaction that is open over a call, a lease that is not given back"
      - { eval_time: 66s, alertname: PoolUse, exp_alerts: [] }
      - { eval_time: 59s, alertname: ServerErrors, exp_alerts: [] }
      - eval_time: 62s
        alertname: ServerErrors
        exp_alerts:
          - exp_labels: { severity: page, service_name: orders, http_request_method: POST, http_route: /orders }
            exp_annotations:
              summary: POST /orders has answered with a server error
              description: "Look for the request id of the answer in the log: its lines name the stage and the cause"
      - { eval_time: 365s, alertname: ServerErrors, exp_alerts: [] }
`
