/** What `lifecycle probe --json` prints: the facts of the waterfall and of the diagnosis, as one JSON document. */
import type { ProbeError, ProbeResult } from "../../client/Probe.ts"
import type { Diagnosis, Finding } from "../../lifecycle/Diagnosis.ts"
import { get, StageName } from "../../lifecycle/Stage.ts"
import * as Timeline from "../../lifecycle/Timeline.ts"

/** One of the fifteen stages. It was measured, is not on this road, or nobody has said anything of it. */
interface Stage {
  readonly stage: StageName
  /** From 1 to 15. */
  readonly order: number
  /** Since the request began. */
  readonly startMillis: number | null
  /** Entries that overlap count once. */
  readonly durationMillis: number | null
  /** Why the stage is not on this road. */
  readonly notOnRoad: string | null
  readonly entries: ReadonlyArray<Timeline.Entry>
}

/** A stage that may have failed. `measured`: the request ended there. */
interface Suspect extends Omit<Finding, "confidence" | "advice"> {
  readonly order: number
  readonly advice: string | null
  readonly confidence: Finding["confidence"] | "measured"
}

/** One probe. Times are milliseconds. */
export interface ProbeReport {
  readonly request: { readonly method: string; readonly url: string }
  /** `null` when none came, or not all of it. */
  readonly answer: {
    readonly status: number
    readonly httpVersion: string
    readonly tlsVersion: string | null
    readonly remoteAddress: string | null
    readonly bodyBytes: number
    readonly bodyTruncated: boolean
  } | null
  /** Why no answer came. */
  readonly error: {
    readonly stage: StageName
    readonly code: string
    readonly host: string
    readonly detail: string
  } | null
  readonly totalMillis: number
  /** From the last byte sent to the head of the answer; `null` when there was none. */
  readonly waitingMillis: number | null
  /** All fifteen, in the order of the road. */
  readonly stages: ReadonlyArray<Stage>
  /** `null` where nothing failed. */
  readonly diagnosis: {
    readonly verdict: StageName | "undecided"
    /** Whether the request is known to have arrived in the application. */
    readonly reached: boolean
    readonly ranked: ReadonlyArray<Suspect>
  } | null
}

interface Asked {
  readonly method: string
  readonly url: string
}

export const answered = (asked: Asked, result: ProbeResult, diagnosis: Diagnosis | undefined): ProbeReport => ({
  request: shown(asked),
  answer: {
    status: result.status,
    httpVersion: result.httpVersion,
    tlsVersion: result.tlsVersion ?? null,
    remoteAddress: result.remoteAddress ?? null,
    bodyBytes: result.bodyBytes,
    bodyTruncated: result.bodyTruncated
  },
  error: null,
  totalMillis: result.totalMillis,
  waitingMillis: result.waitingMillis,
  stages: stagesOf(result.timeline),
  diagnosis: diagnosis === undefined ? null : {
    verdict: diagnosis.verdict,
    reached: diagnosis.reached,
    ranked: diagnosis.ranked.map((finding) => ({ ...finding, order: get(finding.stage).order }))
  }
})

/** Where the request ended was measured; only the advice is taken from the diagnosis. */
export const unanswered = (
  asked: Asked,
  error: ProbeError,
  measured: { readonly evidence: string; readonly advice: string | undefined; readonly reached: boolean }
): ProbeReport => {
  const { code, detail, host, stage, timeline } = error
  const { advice, evidence, reached } = measured
  return {
    request: shown(asked),
    answer: null,
    error: { stage, code, host, detail },
    totalMillis: Timeline.totalMillis(timeline),
    waitingMillis: null,
    stages: stagesOf(timeline),
    diagnosis: {
      verdict: stage,
      reached,
      ranked: [{ stage, order: get(stage).order, confidence: "measured", evidence, advice: advice ?? null }]
    }
  }
}

/** Reports are kept and passed on: the name and password of a URL stay here. */
const shown = ({ method, url }: Asked): ProbeReport["request"] => {
  const parsed = new URL(url)
  parsed.username = ""
  parsed.password = ""
  return { method, url: parsed.href }
}

const stagesOf = (timeline: Timeline.Timeline): ReadonlyArray<Stage> =>
  StageName.literals.map((stage) => {
    const entries = timeline.entries.filter((entry) => entry.stage === stage)
    return {
      stage,
      order: get(stage).order,
      startMillis: entries.length === 0 ? null : Math.min(...entries.map(({ startMillis }) => startMillis)),
      durationMillis: Timeline.durationMillis(timeline, stage) ?? null,
      notOnRoad: timeline.notOnRoad.find((item) => item.stage === stage)?.why ?? null,
      entries
    }
  })
