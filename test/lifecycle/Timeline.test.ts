import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type Recorder, Stage, Timeline } from "effect-lifecycle/lifecycle"

const Millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60_000_000 }))
const Name = Schema.String.check(Schema.isPattern(/^[\x20-\x7e]{0,30}$/))
const Item = Schema.Struct({ stage: Stage.StageName, name: Name, start: Millis, duration: Millis })
const AnyItem = Schema.Struct({ stage: Stage.StageName, name: Schema.String, start: Millis, duration: Millis })

// Whole microseconds: what the header can hold.
const entry = (item: typeof Item.Type | typeof AnyItem.Type): Timeline.Entry => ({
  stage: item.stage,
  name: item.name,
  startMillis: item.start / 1000,
  durationMillis: item.duration / 1000
})

const client = Timeline.make([
  { stage: "Dns", startMillis: 0, durationMillis: 2 },
  { stage: "Connect", startMillis: 2, durationMillis: 3 },
  Timeline.notOnRoad("Tls", "the URL is http"),
  { stage: "Send", startMillis: 5, durationMillis: 1 },
  { stage: "Response", startMillis: 16, durationMillis: 4 }
])

const timed = (stage: Stage.StageName, name: string, start: bigint, end: bigint): Recorder.StagesTimed => ({
  _tag: "StagesTimed",
  stages: [{ _tag: "StageTimed", stage, name, startNanos: start, endNanos: end }]
})

describe("Timeline", () => {
  describe("make", () => {
    it("puts entries in the order of the road, and those of one stage in the order of time", () => {
      const timeline = Timeline.make([
        { stage: "Handler", startMillis: 9, durationMillis: 1 },
        { stage: "Middleware", name: "b", startMillis: 5, durationMillis: 1 },
        { stage: "Middleware", name: "a", startMillis: 1, durationMillis: 1 }
      ])
      assert.deepStrictEqual(timeline.entries.map((e) => e.name ?? e.stage), ["a", "b", "Handler"])
      assert.deepStrictEqual(Timeline.measuredStages(timeline), ["Middleware", "Handler"])
    })

    it("believes a measurement more than the claim that a stage is not on the road", () => {
      const timeline = Timeline.make([
        Timeline.notOnRoad("Proxy", "no proxy here"),
        { stage: "Proxy", startMillis: 0, durationMillis: 1 }
      ])
      assert.deepStrictEqual(timeline.notOnRoad, [])
    })

    it("counts a negative duration as 0 and leaves out times that are not finite", () => {
      const timeline = Timeline.make([
        { stage: "Dns", startMillis: 1, durationMillis: -4 },
        { stage: "Tls", startMillis: Number.NaN, durationMillis: 1 },
        { stage: "Send", startMillis: 0, durationMillis: Infinity }
      ])
      assert.deepStrictEqual(timeline.entries, [{ stage: "Dns", startMillis: 1, durationMillis: 0 }])
    })

    it("does not reorder the caller's array", () => {
      const items: Array<Timeline.Entry> = [
        { stage: "Handler", startMillis: 0, durationMillis: 1 },
        { stage: "Dns", startMillis: 0, durationMillis: 1 }
      ]
      Timeline.make(items)
      assert.strictEqual(items[0]?.stage, "Handler")
    })
  })

  describe("fromReports", () => {
    it("counts from the earliest report, in milliseconds, without losing precision of large clocks", () => {
      const zero = 1_790_000_000_000_000_000n
      const timeline = Timeline.fromReports([
        timed("Handler", "domain/Mediator", zero + 1_500_000n, zero + 4_000_001n),
        timed("Security", "server/Authentication", zero, zero + 500_000n)
      ])
      assert.deepStrictEqual(timeline.entries, [
        { stage: "Security", name: "server/Authentication", startMillis: 0, durationMillis: 0.5 },
        { stage: "Handler", name: "domain/Mediator", startMillis: 1.5, durationMillis: 2.500001 }
      ])
    })

    it("is empty without reports", () => {
      assert.deepStrictEqual(Timeline.fromReports([]), { entries: [], notOnRoad: [] })
      assert.strictEqual(Timeline.totalMillis(Timeline.fromReports([])), 0)
    })
  })

  it("counts time that two entries of a stage share only once", () => {
    const timeline = Timeline.make([
      { stage: "Middleware", startMillis: 0, durationMillis: 10 },
      { stage: "Middleware", startMillis: 2, durationMillis: 3 },
      { stage: "Middleware", startMillis: 8, durationMillis: 4 },
      { stage: "Middleware", startMillis: 20, durationMillis: 1 }
    ])
    assert.strictEqual(Timeline.durationMillis(timeline, "Middleware"), 13)
    assert.strictEqual(Timeline.durationMillis(timeline, "Handler"), undefined)
  })

  describe("Server-Timing", () => {
    it("writes one metric for each entry", () => {
      assert.strictEqual(
        Timeline.toServerTiming(Timeline.make([
          { stage: "Handler", name: "domain/Mediator", startMillis: 3, durationMillis: 1.2341 },
          { stage: "Router", startMillis: 2, durationMillis: 0 }
        ])),
        `Router;dur=0, Handler;dur=1.234;desc="domain/Mediator"`
      )
    })

    it("adds the starts only when asked, counted from the first", () => {
      const timeline = Timeline.make([
        { stage: "Router", startMillis: 10, durationMillis: 1 },
        { stage: "Handler", startMillis: 12.5, durationMillis: 1 }
      ])
      assert.strictEqual(
        Timeline.toServerTiming(timeline, { starts: true }),
        "Router;dur=1;start=0, Handler;dur=1;start=2.5"
      )
    })

    it("lays stages without a start one behind the other", () => {
      assert.deepStrictEqual(
        Timeline.parseServerTiming("Router;dur=1,Handler;dur=2.5").map((e) => [e.stage, e.startMillis]),
        [["Router", 0], ["Handler", 1]]
      )
    })

    it("skips what it does not know and keeps what it does", () => {
      const rows: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
        ["", []],
        [",,;;,=,\"", []],
        ["cache;dur=2, Handler;dur=1, db;desc=\"a, Router;dur=9\"", ["Handler"]],
        ["handler;dur=1", []],
        ["Handler", []],
        ["Handler;dur=-1, Router;dur=nan, Server;dur=1e9, Proxy;dur=, Accept;dur=Infinity", []],
        ["Handler;desc=\"unclosed;dur=4", []],
        ["Handler ; DUR = 4 ; dur=9", ["Handler"]],
        ["Handler;dur=\"4\"", ["Handler"]],
        ["__proto__;dur=1, constructor;dur=1", []],
        [`Handler;dur=1${",".repeat(20_000)}`, []]
      ]
      for (const [header, expected] of rows) {
        assert.deepStrictEqual(Timeline.parseServerTiming(header).map((e) => e.stage), expected, header.slice(0, 60))
      }
      assert.strictEqual(Timeline.parseServerTiming("Handler ; DUR = 4 ; dur=9")[0]?.durationMillis, 4)
    })

    it.effect.prop("comes back as it was sent", [Schema.Array(Item)], ([items]) =>
      Effect.sync(() => {
        const timeline = Timeline.make(items.slice(0, 100).map(entry))
        const zero = Math.min(...timeline.entries.map((e) => e.startMillis))
        const back = Timeline.parseServerTiming(Timeline.toServerTiming(timeline, { starts: true }))
        assert.deepStrictEqual(
          back.map((e) => [e.stage, e.name, Math.round(e.startMillis * 1000), Math.round(e.durationMillis * 1000)]),
          timeline.entries.map((
            e
          ) => [e.stage, e.name, Math.round((e.startMillis - zero) * 1000), Math.round(e.durationMillis * 1000)])
        )
      }))

    it.effect.prop("is a legal header whatever a name holds", [Schema.Array(AnyItem)], ([items]) =>
      Effect.sync(() => {
        const timeline = Timeline.make(items.slice(0, 20).map(entry))
        const header = Timeline.toServerTiming(timeline)
        assert.match(header, /^[\x20-\x7e]*$/)
        assert.deepStrictEqual(
          Timeline.parseServerTiming(header).map((e) => [e.stage, e.durationMillis]),
          timeline.entries.map((e) => [e.stage, e.durationMillis])
        )
      }))

    it.effect.prop("never throws on junk", [Schema.String], ([junk]) =>
      Effect.sync(() => {
        for (const header of [junk, `Handler;dur=1;desc=${junk}`, `Handler;${junk};dur=1`]) {
          for (const e of Timeline.parseServerTiming(header)) assert.isTrue(e.durationMillis >= 0)
        }
      }))

    it("cannot be used to add a header line", () => {
      const header = Timeline.toServerTiming(Timeline.make([
        { stage: "Handler", name: "a\r\nSet-Cookie: b=\"c\\", startMillis: 0, durationMillis: 1 }
      ]))
      assert.strictEqual(header, `Handler;dur=1;desc="a??Set-Cookie: b=\\"c\\\\"`)
    })
  })

  describe("merge", () => {
    const server = Timeline.make([
      { stage: "Router", startMillis: 100, durationMillis: 1 },
      { stage: "Handler", startMillis: 102, durationMillis: 4 },
      Timeline.notOnRoad("Balancer", "none")
    ])

    it("places the server's stages in the middle of the wait", () => {
      const merged = Timeline.merge(client, server)
      // The wait is 6..16, the server took 6 of it: 2 ms there, 2 ms back.
      assert.deepStrictEqual(
        merged.entries.map((e) => [e.stage, e.startMillis, e.durationMillis]),
        [["Dns", 0, 2], ["Connect", 2, 3], ["Send", 5, 1], ["Router", 8, 1], ["Handler", 10, 4], ["Response", 16, 4]]
      )
      assert.deepStrictEqual(merged.notOnRoad.map((item) => item.stage), ["Tls", "Balancer"])
      assert.deepStrictEqual(Timeline.merge(server)(client), merged)
    })

    it("does not let a server speak about the client's own stages", () => {
      const liar = Timeline.make([
        { stage: "Dns", startMillis: 0, durationMillis: 999 },
        Timeline.notOnRoad("Send", "never sent")
      ])
      assert.deepStrictEqual(Timeline.merge(client, liar), client)
    })

    it("puts the server behind the client where the wait is unknown", () => {
      const half = Timeline.make([{ stage: "Dns", startMillis: 0, durationMillis: 7 }])
      assert.deepStrictEqual(Timeline.merge(half, server).entries.map((e) => e.startMillis), [0, 7, 9])
    })

    it.effect.prop(
      "keeps every duration and starts every server stage inside the wait",
      [Schema.Array(Item)],
      ([items]) =>
        Effect.sync(() => {
          const inner = Timeline.make(
            items.map(entry).filter((e) => !["Dns", "Connect", "Tls", "Send", "Response"].includes(e.stage))
          )
          const wait = Timeline.waiting(client)!
          const placed = Timeline.merge(client, inner).entries.filter((e) =>
            inner.entries.some((other) => other.stage === e.stage)
          )
          const fits = Timeline.totalMillis(inner) <= wait.durationMillis
          assert.deepStrictEqual(placed.map((e) => e.durationMillis), inner.entries.map((e) => e.durationMillis))
          for (const e of placed) {
            assert.isAtLeast(e.startMillis, wait.startMillis - 1e-6)
            const last = fits ? e.startMillis + e.durationMillis : e.startMillis
            assert.isAtMost(last, wait.startMillis + wait.durationMillis + 1e-6)
          }
        })
    )
  })

  describe("waterfall", () => {
    const merged = Timeline.merge(
      client,
      Timeline.make([{ stage: "Handler", name: "orders", startMillis: 0, durationMillis: 4 }])
    )

    it("shows all fifteen stages in order, with number, name, bar, milliseconds and owner", () => {
      const lines = Timeline.waterfall(merged, { width: 80 }).split("\n")
      assert.strictEqual(lines.length, 17)
      const stages = lines.slice(1, 16)
      assert.deepStrictEqual(
        stages.map((line) => line.slice(0, 15).trim().split(/\s+/)),
        Stage.StageName.literals.map(
          (stage, i) => [String(i + 1), stage]
        )
      )
      assert.match(stages[0]!, /^ 1 Dns +resolver +█+ +2\.000$/)
      assert.match(stages[2]!, /^ 3 Tls .* not on this road: the URL is http$/)
      assert.match(stages[4]!, /^ 5 Balancer +load balancer +not measured$/)
      assert.match(stages[13]!, /^14 Handler +orders +█+ +4\.000$/)
      assert.strictEqual(lines[16], "total 20.000 ms, 5 of 15 stages measured, 10.000 ms waiting for the first byte")
    })

    it("places a bar where its time lies", () => {
      const line = (stage: string) =>
        Timeline.waterfall(merged, { width: 100 }).split("\n").find((text) => text.includes(stage))!
      assert.isBelow(line("Dns").indexOf("█"), line("Connect").indexOf("█"))
      assert.isBelow(line("Send").lastIndexOf("█"), line("Handler").indexOf("█"))
      assert.isBelow(line("Handler").lastIndexOf("█"), line("Response").indexOf("█"))
    })

    it("marks a stage that took almost no time", () => {
      const tiny = Timeline.make([
        { stage: "Dns", startMillis: 0, durationMillis: 0, note: "the host is an address" },
        { stage: "Handler", startMillis: 0, durationMillis: 100 }
      ])
      assert.match(Timeline.waterfall(tiny).split("\n")[1]!, /▏ the host is an address +0\.000$/)
    })

    it("is plain text unless colours are asked for, and says the same with them", () => {
      const plain = Timeline.waterfall(merged)
      const coloured = Timeline.waterfall(merged, { color: true })
      assert.notInclude(plain, "\u001b")
      assert.include(coloured, "\u001b[")
      // oxlint-disable-next-line no-control-regex
      assert.strictEqual(coloured.replace(/\u001b\[\d+m/g, ""), plain)
    })

    it.effect.prop(
      "never exceeds its width and never prints a control character",
      [Schema.Array(AnyItem), Schema.Int],
      (
        [items, width]
      ) =>
        Effect.sync(() => {
          const columns = Math.max(60, Math.min(width, 300))
          const lines = Timeline.waterfall(Timeline.make(items.map(entry)), { width }).split("\n")
          assert.strictEqual(lines.length, 17)
          for (const line of lines) {
            assert.isAtMost(Array.from(line).length, columns)
            assert.notMatch(line, /\p{Cc}/u)
          }
        })
    )

    it("draws an empty timeline", () => {
      const lines = Timeline.waterfall(Timeline.make([])).split("\n")
      assert.strictEqual(lines.filter((line) => line.endsWith("not measured")).length, 15)
    })
  })

  describe("toSvg", () => {
    it("has a title, a description and a text for every stage, and refers to nothing outside", () => {
      const svg = Timeline.toSvg(client, { title: "POST /users" })
      assert.match(
        svg,
        /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^>]*role="img" aria-labelledby="timeline-title timeline-desc"/
      )
      assert.include(svg, `<title id="timeline-title">POST /users</title>`)
      assert.match(
        svg,
        /<desc id="timeline-desc">total 20\.000 ms.*1 Dns: 2\.000 ms; .*3 Tls: not on this road: the URL is http; /
      )
      for (const [i, stage] of Stage.StageName.literals.entries()) assert.include(svg, `>${i + 1}. ${stage}</text>`)
      assert.notMatch(svg, /href|<script|<style|url\(/)
    })

    it("escapes what it did not write itself", () => {
      const svg = Timeline.toSvg(Timeline.make([
        { stage: "Handler", name: `</text><script>"&'\u0000`, startMillis: 0, durationMillis: 1 }
      ]))
      assert.notInclude(svg, "<script>")
      assert.include(svg, "&lt;/text&gt;&lt;script&gt;&quot;&amp;&#39;?")
    })
  })
})
