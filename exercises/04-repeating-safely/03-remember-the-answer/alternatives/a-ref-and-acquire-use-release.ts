import { Clock, Duration, Effect, Exit, Ref, Schema } from "effect"
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

/** A key, from its first claim until nobody has to remember it. */
type Known =
  & { readonly fingerprint: string; readonly forgottenAt: number }
  & (
    | { readonly _tag: "Running"; readonly token: string; readonly lostAt: number }
    | { readonly _tag: "Answered"; readonly token: string; readonly answer: string }
  )

type All = Readonly<Record<string, Known>>

const nameOf = ({ key, scope }: Idempotency.ScopedKey): string => JSON.stringify([scope, key])

const without = (all: All, name: string): All => {
  const { [name]: _, ...others } = all
  return others
}

export const makeRecords: Effect.Effect<Records> = Effect.gen(function*() {
  const known = yield* Ref.make<All>({})
  return {
    claim: (key, { fingerprint, lease, timeToLive }) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const name = nameOf(key)
        const token = globalThis.crypto.randomUUID()
        return yield* Ref.modify(known, (all): readonly [Idempotency.Claim, All] => {
          const before = all[name]
          const forgotten = before === undefined || before.forgottenAt <= now
          if (!forgotten && before.fingerprint !== fingerprint) return [{ _tag: "Mismatch" }, all]
          if (!forgotten && before._tag === "Answered") return [{ _tag: "Completed", answer: before.answer }, all]
          if (!forgotten && before._tag === "Running" && now < before.lostAt) return [{ _tag: "InProgress" }, all]
          const running: Known = {
            _tag: "Running",
            token,
            fingerprint,
            lostAt: now + Duration.toMillis(lease),
            forgottenAt: now + Duration.toMillis(timeToLive)
          }
          return [{ _tag: "Claimed", token }, { ...all, [name]: running }]
        })
      }),
    complete: (key, token, answer) =>
      Ref.modify(known, (all): readonly [boolean, All] => {
        const before = all[nameOf(key)]
        if (before?.token !== token) return [false, all]
        const { fingerprint, forgottenAt } = before
        return [true, { ...all, [nameOf(key)]: { _tag: "Answered", token, answer, fingerprint, forgottenAt } }]
      }),
    release: (key, token) =>
      Ref.update(known, (all) => all[nameOf(key)]?.token === token ? without(all, nameOf(key)) : all)
  }
})

const Kept = Schema.fromJsonString(
  Schema.Struct({ status: Schema.Int, headers: Schema.Record(Schema.String, Schema.String), body: Schema.String })
)

const empty = (status: number, headers: Answer["headers"] = {}): Answer => ({ status, headers, body: "" })

export const remember = (records: Records, handler: Handler): Handler => (request) => {
  const key = { scope: `charges of ${request.user}`, key: request.key }
  const claim = records.claim(key, { fingerprint: request.body, lease: "90 seconds", timeToLive: "24 hours" })
  const answers: { readonly [Tag in Idempotency.Claim["_tag"]]: (claim: Idempotency.Claim) => ReturnType<Handler> } = {
    Mismatch: () => Effect.succeed(empty(422)),
    InProgress: () => Effect.succeed(empty(409, { "retry-after": "1" })),
    Completed: (claim) => {
      const { body, headers, status } = Schema.decodeSync(Kept)(claim._tag === "Completed" ? claim.answer : "")
      return Effect.succeed({ status, body, headers: { ...headers, "idempotency-replayed": "true" } })
    },
    Claimed: () => handler(request)
  }
  return Effect.acquireUseRelease(
    Effect.orDie(claim),
    (claimed) => answers[claimed._tag](claimed),
    (claimed, exit) => {
      if (claimed._tag !== "Claimed") return Effect.void
      return Exit.isSuccess(exit) && exit.value.status < 500
        ? Effect.orDie(Effect.asVoid(records.complete(key, claimed.token, Schema.encodeSync(Kept)(exit.value))))
        : Effect.orDie(records.release(key, claimed.token))
    }
  )
}
