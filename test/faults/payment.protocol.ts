/** What payment.test.ts and its processes agree on. */
import type { Where } from "./outbox.protocol.ts"

/** What the saga of a payment writes, in order. */
export const writes = [
  "begin reserve",
  "done reserve",
  "begin charge",
  "done charge",
  "begin confirm",
  "done confirm",
  "end"
] as const

/** The process dies before or after one of these. */
export interface Crash {
  readonly write: typeof writes[number]
  readonly when: "before" | "after"
}

export interface Task {
  readonly where: Where
  /** The payments service. */
  readonly payments: string
  readonly crash: Crash | undefined
  /** Begins by wanting all payments under way undone. */
  readonly cancel: boolean
}
