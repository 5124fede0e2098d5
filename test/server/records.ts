/** Idempotency records in memory, and a recorder that keeps what it hears. */
import { Effect, Layer } from "effect"
import { type Recorder, Recorder as Recorders } from "effect-lifecycle/lifecycle"
import { Idempotency } from "effect-lifecycle/server"

interface Entry {
  readonly fingerprint: string
  readonly token: string
  answer: string | undefined
}

export const memoryRecords = (entries = new Map<string, Entry>()) =>
  Layer.sync(Idempotency.IdempotencyRecords, () => {
    let tokens = 0
    const id = (key: Idempotency.ScopedKey) => `${key.scope} ${key.key}`
    return {
      claim: (key, { fingerprint }) =>
        Effect.sync((): Idempotency.Claim => {
          const entry = entries.get(id(key))
          if (entry === undefined) {
            const token = String(++tokens)
            entries.set(id(key), { fingerprint, token, answer: undefined })
            return { _tag: "Claimed", token }
          }
          if (entry.fingerprint !== fingerprint) return { _tag: "Mismatch" }
          return entry.answer === undefined ? { _tag: "InProgress" } : { _tag: "Completed", answer: entry.answer }
        }),
      complete: (key, token, answer) =>
        Effect.sync(() => {
          const entry = entries.get(id(key))
          if (entry?.token !== token) return false
          entry.answer = answer
          return true
        }),
      release: (key) => Effect.sync(() => void entries.delete(id(key)))
    }
  })

export const recording = (into: Array<Recorder.Report>) =>
  Layer.succeed(Recorders.Current, (report) => into.push(report))
