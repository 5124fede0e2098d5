// fails: e - the log is right, and no call to another service carries the id
import { Effect } from "effect"

export { charge, confirm, log } from "../solution.ts"

export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.annotateLogs(work, { requestId: id })
