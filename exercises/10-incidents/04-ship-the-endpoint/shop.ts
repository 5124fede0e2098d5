/**
 * The world of 10.4: what the endpoint stands on, and what happens to it. Everything here works as it should. What goes wrong
 * is weather.
 */
import { Clock, Data, Duration, Effect, Layer, Redacted, Stream } from "effect"
import { Authentication, Idempotency } from "effect-lifecycle/server"

/** What a copy costs, in cents. The customer does not say. */
export const prices = { dune: 1200, emma: 900 } as const

export interface Order {
  readonly id: string
  readonly customer: string
  readonly book: keyof typeof prices
  readonly copies: number
  readonly cents: number
  readonly receipt: string
}

/** One charge. The service charges once for each `key`, however often it is asked. */
export interface Charge {
  readonly key: string
  readonly customer: string
  readonly cents: number
  readonly card: Redacted.Redacted
  /** What is sent with it. */
  readonly headers: Readonly<Record<string, string>>
}

/** The payment service cannot be reached, or its answer was lost. Nobody knows whether it has charged. */
export class PaymentsAway extends Data.TaggedError("PaymentsAway")<{}> {}

/** The bank says no, and will say no again. */
export class CardDeclined extends Data.TaggedError("CardDeclined")<{}> {}

/** The connection to the live updates is gone. */
export class FeedLost extends Data.TaggedError("FeedLost")<{}> {}

/** One line of the story of an order. Numbers grow. */
export interface Update {
  readonly number: number
  readonly text: string
}

/** What the endpoint stands on. */
export interface World {
  /** Tokens `token-a` (alice) and `token-b` (bob). */
  readonly tokens: Layer.Layer<Authentication.Authenticator>
  /** What you built in 04.3. */
  readonly records: Layer.Layer<Idempotency.IdempotencyRecords>
  readonly charge: (charge: Charge) => Effect.Effect<string, PaymentsAway | CardDeclined>
  readonly orders: {
    /** A number that no other order has. */
    readonly next: Effect.Effect<string>
    /** Takes 20 ms. */
    readonly save: (order: Order) => Effect.Effect<void>
    readonly find: (id: string) => Effect.Effect<Order | undefined>
  }
  /** The story as it happens. It may break, and is not to be had a second time. */
  readonly live: (id: string) => Stream.Stream<Update, FeedLost>
  /** The same story, kept: from its first line. */
  readonly history: (id: string) => Stream.Stream<Update, FeedLost>
  /** Where lines of the log go. */
  readonly sink: (line: string) => void
}

/** What payments does when it is asked: answers, is away, charges and loses the answer, declines, hangs, has a bug. */
export type Mood = "well" | "away" | "lost" | "declines" | "hangs" | "bug"

export interface Weather {
  /** The first mood is that of the first call, and so on; `well` afterwards. */
  readonly moods?: ReadonlyArray<Mood>
  /** After so many updates the live feed breaks. */
  readonly liveBreaksAfter?: number
}

export const story: ReadonlyArray<Update> = [
  { number: 1, text: "placed" },
  { number: 2, text: "packed" },
  { number: 3, text: "sent" }
]

export const bugMessage = "the driver at 10.0.0.7 answered with nonsense"

/** A world, and what happened in it. */
export const makeWorld = ({ liveBreaksAfter, moods = [] }: Weather = {}) => {
  const calls: Array<Charge & { readonly at: number }> = []
  const charged = new Map<string, number>()
  const saved = new Map<string, Order>()
  const lines: Array<string> = []
  let mood = 0
  let ids = 0
  let interrupted = 0

  const charge = (wanted: Charge) =>
    Effect.flatMap(Clock.currentTimeMillis, (at): Effect.Effect<string, PaymentsAway | CardDeclined> => {
      calls.push({ ...wanted, at })
      const now = moods[mood++] ?? "well"
      const work = Effect.suspend((): Effect.Effect<string, PaymentsAway | CardDeclined> => {
        if (now === "hangs") return Effect.never
        if (now === "away") return Effect.fail(new PaymentsAway())
        if (now === "declines") return Effect.fail(new CardDeclined())
        if (now === "bug") return Effect.die(new Error(bugMessage))
        if (!charged.has(wanted.key)) charged.set(wanted.key, wanted.cents)
        return now === "lost" ? Effect.fail(new PaymentsAway()) : Effect.succeed(`receipt of ${wanted.cents}`)
      })
      return Effect.onInterrupt(Effect.delay(work, "30 millis"), () => Effect.sync(() => void interrupted++))
    })

  const world: World = {
    tokens: Layer.orDie(Authentication.layerTokens(Redacted.make("token-a:alice,token-b:bob"))),
    records,
    charge,
    orders: {
      next: Effect.sync(() => `o-${++ids}`),
      save: (order) => Effect.delay(Effect.sync(() => void saved.set(order.id, order)), "20 millis"),
      find: (id) => Effect.sync(() => saved.get(id))
    },
    live: () =>
      liveBreaksAfter === undefined
        ? Stream.fromIterable(story)
        : Stream.concat(Stream.fromIterable(story.slice(0, liveBreaksAfter)), Stream.fail(new FeedLost())),
    history: () => Stream.fromIterable(story),
    sink: (line) => void lines.push(line)
  }
  return { world, calls, charged, saved, lines, interrupted: () => interrupted }
}

interface Row {
  readonly token: string
  readonly fingerprint: string
  readonly leaseEnds: number
  readonly ends: number
  readonly answer: string | undefined
}

const records = Layer.effect(
  Idempotency.IdempotencyRecords,
  Effect.sync(() => {
    const rows = new Map<string, Row>()
    let tokens = 0
    const idOf = ({ key, scope }: Idempotency.ScopedKey): string => `${scope} ${key}`
    return {
      claim: (key, { fingerprint, lease, timeToLive }) =>
        Effect.map(Clock.currentTimeMillis, (now): Idempotency.Claim => {
          const row = rows.get(idOf(key))
          if (row !== undefined && now < row.ends) {
            if (row.fingerprint !== fingerprint) return { _tag: "Mismatch" }
            if (row.answer !== undefined) return { _tag: "Completed", answer: row.answer }
            if (now < row.leaseEnds) return { _tag: "InProgress" }
          }
          const token = String(++tokens)
          rows.set(idOf(key), {
            token,
            fingerprint,
            leaseEnds: now + Duration.toMillis(lease),
            ends: now + Duration.toMillis(timeToLive),
            answer: undefined
          })
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
)
