// fails: a - keeps status and body, and forgets the headers
import { Clock, Duration, Effect, Exit, Schema } from "effect"
import type { Idempotency } from "effect-lifecycle/server"

export type Records = Idempotency.IdempotencyRecords["Service"]

export interface Request {
  readonly user: string
  readonly key: string
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Handler = (request: Request) => Effect.Effect<Answer, Error>

interface Row {
  readonly token: string
  readonly fingerprint: string
  readonly leaseEnds: number
  readonly ends: number
  readonly answer: string | undefined
}

export const makeRecords: Effect.Effect<Records> = Effect.sync(() => {
  const rows = new Map<string, Row>()
  let tokens = 0
  const idOf = ({ key, scope }: Idempotency.ScopedKey): string => `${scope} ${key}`
  return {
    claim: (key, { fingerprint, lease, timeToLive }) =>
      Effect.map(Clock.currentTimeMillis, (now): Idempotency.Claim => {
        const id = idOf(key)
        const row = rows.get(id)
        if (row !== undefined && now < row.ends) {
          if (row.fingerprint !== fingerprint) return { _tag: "Mismatch" }
          if (row.answer !== undefined) return { _tag: "Completed", answer: row.answer }
          if (now < row.leaseEnds) return { _tag: "InProgress" }
        }
        const token = String(++tokens)
        const leaseEnds = now + Duration.toMillis(lease)
        rows.set(id, { token, fingerprint, leaseEnds, ends: now + Duration.toMillis(timeToLive), answer: undefined })
        return { _tag: "Claimed", token }
      }),
    complete: (key, token, answer) =>
      Effect.sync(() => {
        const row = rows.get(idOf(key))
        if (row === undefined || row.token !== token) return false
        rows.set(idOf(key), { ...row, answer })
        return true
      }),
    release: (key, token) =>
      Effect.sync(() => {
        if (rows.get(idOf(key))?.token === token) rows.delete(idOf(key))
      })
  }
})

const Kept = Schema.fromJsonString(
  Schema.Struct({ status: Schema.Int, headers: Schema.Record(Schema.String, Schema.String), body: Schema.String })
)

const toText = Schema.encodeSync(Kept)
const fromText = Schema.decodeSync(Kept)

const say = (status: number, headers: Record<string, string> = {}): Answer => ({ status, headers, body: "" })

export const remember = (records: Records, handler: Handler): Handler => (request) => {
  const key = { scope: `${request.user} charge`, key: request.key }
  const options = { fingerprint: request.body, lease: "90 seconds", timeToLive: "24 hours" } as const
  return Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const claim = yield* Effect.orDie(records.claim(key, options))
      switch (claim._tag) {
        case "Mismatch":
          return say(422)
        case "InProgress":
          return say(409, { "retry-after": "1" })
        case "Completed": {
          const { body, headers, status } = fromText(claim.answer)
          return { status, headers: { ...headers, "idempotency-replayed": "true" }, body }
        }
        case "Claimed":
          return yield* Effect.onExit(restore(handler(request)), (exit) =>
            Effect.orDie(
              Exit.isSuccess(exit) && exit.value.status < 500
                ? records.complete(key, claim.token, toText({ ...exit.value, headers: {} }))
                : records.release(key, claim.token)
            ))
      }
    })
  )
}
