/** What a rule of diagnosis is, and how the findings of a list of rules are ranked. */
import { type FailureId, get } from "../../Failure.ts"
import type { StageName } from "../../Stage.ts"

export type Confidence = "certain" | "likely" | "possible"

export interface Finding {
  readonly stage: StageName
  readonly failure?: FailureId
  readonly confidence: Confidence
  readonly evidence: string
  readonly advice: string
}

/** A value, or how to read it from the facts. */
type Of<F, A> = A | ((facts: F) => A)

/** An independent predicate, and what it proves where it holds. */
export interface Rule<F> {
  readonly when: (facts: F) => boolean
  readonly stage: Of<F, StageName>
  readonly failure?: Of<F, FailureId | undefined>
  readonly confidence: Confidence
  /** Whether this proves that bytes of the request arrived in the application's process. */
  readonly reached: Of<F, boolean>
  /** The sentence that says what decided. */
  readonly evidence: Of<F, string>
  /** Where the failure's own fix does not fit. */
  readonly advice?: string
}

export interface Ranked {
  readonly findings: ReadonlyArray<Finding>
  readonly reached: boolean
}

const read = <F, A>(value: Of<F, A>, facts: F): A =>
  typeof value === "function" ? (value as (facts: F) => A)(facts) : value

const strength = { certain: 0, likely: 1, possible: 2 } as const

/** Every rule that holds, the strongest first and otherwise in the order of the list; a stage's failure is named once. */
export const rank = <F>(rules: ReadonlyArray<Rule<F>>, facts: F): Ranked => {
  const hits = rules.filter((rule) => rule.when(facts)).sort((a, b) => strength[a.confidence] - strength[b.confidence])
  const findings: Array<Finding> = []
  for (const rule of hits) {
    const stage = read(rule.stage, facts)
    const failure = read(rule.failure, facts)
    if (findings.some((finding) => finding.stage === stage && (failure === undefined || finding.failure === failure))) {
      continue
    }
    findings.push({
      stage,
      ...(failure === undefined ? {} : { failure }),
      confidence: rule.confidence,
      evidence: read(rule.evidence, facts),
      advice: rule.advice ?? (failure === undefined ? "Look in that stage's log at this time." : get(failure).fix)
    })
  }
  const first = hits[0]
  return { findings, reached: first !== undefined && read(first.reached, facts) }
}

/** Two rankings of one failure; where both are as sure, the first speaks first. */
export const merge = (first: Ranked, second: Ranked): Ranked => {
  const findings = [...first.findings, ...second.findings].sort((a, b) =>
    strength[a.confidence] - strength[b.confidence]
  )
  return { findings, reached: findings[0] === first.findings[0] ? first.reached : second.reached }
}
