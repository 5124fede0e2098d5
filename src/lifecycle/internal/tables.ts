/** The tables of this room's README, written from the data. */
import { all as failures, type Failure, forStage } from "../Failure.ts"
import { all as stages, type ModuleName, type Stage } from "../Stage.ts"

const cell = (text: string): string => text.replaceAll("|", "\\|")

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n")

const services = (stage: Stage): string => {
  if ("modules" in stage.modelledBy) return stage.modelledBy.modules.map(({ module }) => `\`${module}\``).join("<br>")
  const { measuredBy, outside } = stage.modelledBy
  return measuredBy === undefined ? outside : `${outside}; timed by \`${measuredBy.module}\``
}

const layer = (name: ModuleName): string => name.export === undefined ? "-" : `\`${name.export}\``

const layers = (stage: Stage): string =>
  "modules" in stage.modelledBy ? stage.modelledBy.modules.map(layer).join("<br>") : "-"

const step = ({ lessonStep }: Stage): string =>
  lessonStep === null ? "-" : typeof lessonStep === "number" ? String(lessonStep) : lessonStep.join("-")

const answer = (failure: Failure): string =>
  [failure.status === null ? [] : String(failure.status), failure.clientError ?? []].flat().join("; ")

/** Stage, service, Layer, failure. */
export const stageTable = (): string =>
  table(
    ["#", "Stage", "Lesson step", "Side", "Service", "Layer", "Failures"],
    stages.map((stage) => [
      String(stage.order),
      stage.name,
      step(stage),
      stage.side,
      services(stage),
      layers(stage),
      forStage(stage.name).map((failure) =>
        failure.status === null ? failure.failure : `${failure.failure} (${failure.status})`
      )
        .join("<br>") || "none of its own: the proxy reports what happens here"
    ])
  )

/** Every failure with the trace it leaves. */
export const failureTable = (): string =>
  table(
    ["Row", "Stage", "Failure", "Status or client error", "Log line", "Where", "Id"],
    failures.map((failure) => [
      failure.lessonRow === undefined ? "-" : String(failure.lessonRow),
      failure.stage,
      failure.failure,
      answer(failure),
      `\`${failure.logLine}\``,
      failure.loggedBy,
      `\`${failure.id}\``
    ])
  )
