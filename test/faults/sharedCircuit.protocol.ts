/** What sharedCircuit.test.ts and its child processes say to each other, and the times that both count on. */

/** `consecutive` and `countRate` are Effect's own store; the others are the time window, with all times long or one short. */
export type Kind = "consecutive" | "countRate" | "timeWindow" | "shortWindow" | "shortProbe"

export type Result = "success" | "failure"

/** `begin` starts a call that runs until `end` says how it ends. */
export type Order =
  & { readonly kind: Kind; readonly key: string }
  & ({ readonly do: "call" | "end"; readonly result: Result } | { readonly do: "begin" | "state" })

export type Command = Order & { readonly id: number }

export interface Answer {
  readonly id: number
  /** "ran: success", "ran: failure", "running", the tag of a refusal, or the tag of a state. */
  readonly said: string
  readonly retryAfterMillis?: number
}

export const openMillis = 1_000
export const leaseMillis = 900
export const shortMillis = 1_500
