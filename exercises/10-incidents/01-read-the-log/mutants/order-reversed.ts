// fails: b - begins with what makes the next one smaller, while orders fail
import type { Stage } from "effect-lifecycle/lifecycle"

type Cause = "slowQuery" | "databaseDown" | "poolEmpty" | "clientSlow" | "loopBlocked"

type Fix = "addIndex" | "growPool" | "waitLonger" | "findHolder" | "retryAll" | "waitLess"

export interface Report {
  readonly cause: Cause | "todo"
  readonly stage: Stage.StageName | "todo"
  readonly waitedMillis: number
  readonly workedMillis: number
  readonly fixes: ReadonlyArray<Fix>
}

export const report: Report = {
  cause: "poolEmpty",
  stage: "Handler",
  waitedMillis: 10_000,
  workedMillis: 2043,
  fixes: ["waitLess", "findHolder", "growPool"]
}
