/**
 * 10.1 Read the log
 *
 * A customer writes: "My order returned a 500. The answer said x-request-id: f4a2b3c1." You look for that id and find two
 * lines. Beside them you have the configuration of `orders`, and the database's own page: 11 of 100 connections in use,
 * the slowest statement of the hour took 40 ms.
 *
 * Do: fill in `report`.
 * - `cause`: the one of the five that these lines show.
 * - `stage`: the stage of the road at which the request stopped; one of the names of `Stage`.
 * - `waitedMillis` and `workedMillis`: how the 12,043 ms divide.
 * - `fixes`: three of the six, in the order of urgency: what helps within minutes, what mends the fault within hours, and
 *   what makes the next one smaller and seen earlier.
 *
 * Check: `npm run learn`. Look: `npx tsx workspace/10-incidents/01-read-the-log/exercise.ts`.
 */
import type { Stage } from "effect-lifecycle/lifecycle"

export const log = [
  "2026-11-20T14:02:11.031Z INFO  [f4a2b3c1] POST /orders user=88 status=500 duration=12043ms",
  "2026-11-20T14:02:11.030Z ERROR [f4a2b3c1] PoolTimeout: 5 of 5 connections in use, none free within 10000 ms"
]

export const config = {
  workers: 2,
  pool: { connections: 5, waitMillis: 10_000 },
  database: { maxConnections: 100 }
}

export const causes = {
  slowQuery: "one statement takes 10 s",
  databaseDown: "the database does not answer",
  poolEmpty: "all connections of the pool are held by other requests",
  clientSlow: "the customer sends the body slowly",
  loopBlocked: "something computes, and nothing else runs"
}

export const fixes = {
  addIndex: "add an index to the orders table",
  growPool: "let the pool grow to 15 connections for now",
  waitLonger: "let a request wait for 30 s instead of 10",
  findHolder: "find what holds the connections (a transaction, an outside call, a leak) and mend it",
  retryAll: "let the gateway repeat every POST /orders three times",
  waitLess: "let nobody wait longer than 1 s, and alarm when 80 % of the pool are in use"
}

/** What happened, and what to do. */
export interface Report {
  readonly cause: keyof typeof causes | "todo"
  readonly stage: Stage.StageName | "todo"
  readonly waitedMillis: number
  readonly workedMillis: number
  readonly fixes: ReadonlyArray<keyof typeof fixes>
}

export const report: Report = {
  cause: "todo",
  stage: "todo",
  waitedMillis: 0,
  workedMillis: 0,
  fixes: []
}

if (import.meta.main) {
  for (const line of log) console.log(line)
  console.log(JSON.stringify(config))
  for (const [name, text] of Object.entries(causes)) console.log(`  cause ${name.padEnd(13)} ${text}`)
  for (const [name, text] of Object.entries(fixes)) console.log(`  fix   ${name.padEnd(13)} ${text}`)
}
