/** A diagnosis as lines for a terminal. */
import type { Diagnosis, Finding } from "../lifecycle/Diagnosis.ts"
import { get, type StageName } from "../lifecycle/Stage.ts"

const position = (stage: StageName): string => `${stage} (stage ${get(stage).order} of 15)`

const verdict = (finding: Finding): ReadonlyArray<string> => [
  `Stage  ${position(finding.stage)}, ${finding.confidence}`,
  `Why    ${finding.evidence}`,
  `Try    ${finding.advice}`
]

const others = (findings: ReadonlyArray<Finding>): ReadonlyArray<string> =>
  findings.map((finding) => `       ${finding.stage} (${finding.confidence}): ${finding.evidence}`)

/**
 * The verdict with its evidence and advice, then the stages that are possible too.
 *
 * @category rendering
 * @since 0.1.0
 */
export const lines = (diagnosis: Diagnosis): ReadonlyArray<string> => {
  const [first, ...rest] = diagnosis.ranked
  if (first === undefined) {
    return [
      "Stage  undecided: nothing in this names a stage.",
      "Try    Add more of what you saw: curl's output with -v and -i, the status, the headers and the body."
    ]
  }
  if (diagnosis.verdict === "undecided") {
    return [
      "Stage  undecided: the evidence fits more than one stage.",
      `Try    ${first.advice}`,
      "Could be",
      ...others(diagnosis.ranked)
    ]
  }
  return [
    ...verdict(first),
    ...(diagnosis.reached ? ["       The request reached the application."] : []),
    ...(rest.length === 0 ? [] : ["Could also be", ...others(rest)])
  ]
}

/**
 * A stage that was measured to have failed, with what a diagnosis adds to it.
 *
 * @category rendering
 * @since 0.1.0
 */
export const measured = (stage: StageName, why: string, diagnosis: Diagnosis): ReadonlyArray<string> => {
  const advice = adviceOn(stage, diagnosis)
  return [
    `Stage  ${position(stage)}, measured`,
    `Why    ${why}`,
    ...(advice === undefined ? [] : [`Try    ${advice}`])
  ]
}

/**
 * What a diagnosis advises for a stage that is known to have failed.
 *
 * @category rendering
 * @since 0.1.0
 */
export const adviceOn = (stage: StageName, diagnosis: Diagnosis): string | undefined =>
  diagnosis.ranked.find((finding) => finding.stage === stage)?.advice ?? diagnosis.ranked[0]?.advice
