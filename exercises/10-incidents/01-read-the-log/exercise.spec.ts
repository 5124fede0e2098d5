import { describe, it } from "@effect/vitest"
import { check } from "../../support.ts"
import { report } from "./exercise.ts"

const notTheCause: Record<string, string> = {
  slowQuery: "the database's slowest statement took 40 ms, and this request never got as far as a statement",
  databaseDown: "11 connections are open and working",
  clientSlow: "what would a request that is still being sent have to do with connections?",
  loopBlocked: "the timeout fired on time, so something else did run"
}

const notNow: Record<string, string> = {
  addIndex: "no statement is slow",
  waitLonger: "it makes everybody wait longer for the same error, and the queue longer",
  retryAll: "it triples the load on a pool that is empty already, and repeats what may not be repeated"
}

describe("a: what happened: the cause, the stage, and where the 12 seconds went", () => {
  it("the cause", () => {
    const { cause } = report
    check(cause !== "todo", "The report names no cause yet.")
    check(cause === "poolEmpty", `The cause is not "${cause}": ${notTheCause[cause]}.`)
  })

  it("the stage", () => {
    const { stage } = report
    check(stage !== "todo", "The report names no stage yet.")
    check(
      stage === "Handler",
      `The request did not stop at ${stage}. Ask: who asks the pool for a connection, and what has the request passed by then?`
    )
  })

  it("the time", () => {
    const { waitedMillis, workedMillis } = report
    check(waitedMillis + workedMillis === 12_043, "The two parts of the time must add up to 12,043 ms.")
    check(
      waitedMillis === 10_000,
      `The request did not wait for ${waitedMillis} ms. Ask: what does the second line say about how long it waited?`
    )
  })
})

describe("b: what to do first, second and third", () => {
  it("three fixes, in order", () => {
    const { fixes } = report
    check(fixes.length === 3, `The report names ${fixes.length} of three fixes.`)
    const wrong = fixes.find((fix) => fix in notNow)
    check(wrong === undefined, `"${wrong}" is not among the three: ${notNow[wrong ?? ""]}.`)
    check(new Set(fixes).size === 3, "The same fix stands in the report twice.")
    check(
      fixes[0] === "growPool",
      `"${
        fixes[0]
      }" is not the first thing to do. Ask: orders fail now; which one is done within minutes, without knowing more?`
    )
    check(
      fixes[1] === "findHolder",
      `"${fixes[1]}" is not the second thing to do. Ask: what is still there when the bleeding has stopped?`
    )
  })
})
