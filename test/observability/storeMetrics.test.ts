import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Metrics, Names } from "effect-lifecycle/observability"
import { PrometheusMetrics } from "effect/observability"
import { readFileSync } from "node:fs"

/** The lines of the exposition after the reports, from a registry of their own. */
const exposed = (...reports: ReadonlyArray<Recorder.Report>) =>
  Effect.forEach(reports, (one) => Recorder.report(() => one), { discard: true }).pipe(
    Effect.andThen(PrometheusMetrics.format({ metricNameMapper: Names.prometheus })),
    Effect.map((text) => text.split("\n")),
    Effect.provide(Metrics.layer, { local: true }),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

describe("Metrics of the store", () => {
  it.effect("count the attempts to publish messages, and how old messages were at their end", () =>
    Effect.gen(function*() {
      const settled = { _tag: "MessageSettled", topic: "mails" } as const
      const lines = yield* exposed(
        { ...settled, outcome: "retried", attempt: 1, ageMillis: 20 },
        { ...settled, outcome: "retried", attempt: 2, ageMillis: 1000 },
        { ...settled, outcome: "published", attempt: 3, ageMillis: 3500 },
        { ...settled, outcome: "buried", attempt: 10, ageMillis: 90_000_000 }
      )
      const named = (outcome: string) => `outbox_topic="mails",outbox_outcome="${outcome}"`
      for (
        const line of [
          `store_outbox_messages_total{${named("retried")}} 2`,
          `store_outbox_messages_total{${named("published")}} 1`,
          `store_outbox_messages_total{${named("buried")}} 1`,
          `store_outbox_message_duration_seconds_sum{${named("published")}} 3.5`,
          `store_outbox_message_duration_seconds_bucket{${named("buried")},le="86400"} 0`,
          `store_outbox_message_duration_seconds_bucket{${named("buried")},le="604800"} 1`
        ]
      ) assert.include(lines, line)
      assert.isFalse(
        lines.some((line) => line.startsWith(`store_outbox_message_duration_seconds_count{${named("retried")}`))
      )
    }))

  it.effect("show what an outbox has to do, and count what came to an inbox", () =>
    Effect.gen(function*() {
      const received = { _tag: "MessageReceived", source: "mail < orders" } as const
      const lines = yield* exposed(
        {
          _tag: "OutboxObserved",
          topics: "*",
          pending: 12,
          oldestMillis: 2500,
          deadLetters: 3,
          pausedKeys: 2
        },
        { ...received, outcome: "handled" },
        { ...received, outcome: "repeated" },
        { ...received, outcome: "repeated" },
        { ...received, outcome: "failed" }
      )
      const named = (outcome: string) => `inbox_source="mail < orders",inbox_outcome="${outcome}"`
      for (
        const line of [
          `store_outbox_pending{outbox_topics="*"} 12`,
          `store_outbox_oldest_duration_seconds{outbox_topics="*"} 2.5`,
          `store_outbox_dead_letters{outbox_topics="*"} 3`,
          `store_outbox_keys_paused{outbox_topics="*"} 2`,
          `store_inbox_messages_total{${named("handled")}} 1`,
          `store_inbox_messages_total{${named("repeated")}} 2`,
          `store_inbox_messages_total{${named("failed")}} 1`
        ]
      ) assert.include(lines, line)
    }))

  it.effect("count the snapshots that were not used, by why", () =>
    Effect.gen(function*() {
      const ignored = { _tag: "SnapshotIgnored", aggregate: "orders.Order" } as const
      const lines = yield* exposed(
        { ...ignored, reason: "undecodable" },
        { ...ignored, reason: "undecodable" },
        { ...ignored, reason: "shredded" }
      )
      const named = (reason: string) => `aggregate_name="orders.Order",reason="${reason}"`
      assert.include(lines, `domain_snapshots_ignored_total{${named("undecodable")}} 2`)
      assert.include(lines, `domain_snapshots_ignored_total{${named("shredded")}} 1`)
    }))

  it.effect("stand in the README's table with the labels and the kind that they have", () =>
    Effect.gen(function*() {
      const registry: Metric.MetricRegistry = new Map()
      const settled = { _tag: "MessageSettled", topic: "t", attempt: 1, ageMillis: 1, outcome: "published" } as const
      const reports: ReadonlyArray<Recorder.Report> = [
        settled,
        { _tag: "OutboxObserved", topics: "*", pending: 0, oldestMillis: 0, deadLetters: 0, pausedKeys: 0 },
        { _tag: "MessageReceived", source: "s", outcome: "handled" },
        { _tag: "SnapshotIgnored", aggregate: "a", reason: "foreign" }
      ]
      const snapshots = yield* Effect.forEach(reports, (one) => Recorder.report(() => one)).pipe(
        Effect.andThen(Metric.snapshot),
        Effect.provide(Metrics.layer, { local: true }),
        Effect.provideService(Metric.MetricRegistry, registry)
      )
      const readme = readFileSync(new URL("../../src/observability/README.md", import.meta.url), "utf8")
      const rows = new Map(
        readme.split("\n").filter((line) => line.startsWith("| `")).map((line) => {
          const [, name = "", kind = "", labels = ""] = line.split("|").map((cell) => cell.trim())
          return [name.replaceAll("`", ""), `${kind} ${labels.replaceAll("`", "")}`] as const
        })
      )
      assert.lengthOf(snapshots, 8)
      for (const { attributes, id, type } of snapshots) {
        const labels = Object.keys(attributes ?? {}).filter((key) => key !== "unit")
        assert.strictEqual(rows.get(id), `${type.toLowerCase()} ${labels.join(", ")}`, id)
      }
    }))
})
