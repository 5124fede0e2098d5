// fails: a - takes the whole duration for waiting
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
  waitedMillis: 12_043,
  workedMillis: 0,
  fixes: ["growPool", "findHolder", "waitLess"]
}
