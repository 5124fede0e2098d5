/**
 * What the metrics of orders said every second, on three days of trouble and three calm ones. Nothing of it is written down:
 * requests go through a real `ConnectionPool` and the real metrics, in the time of `TestClock`.
 */
import { Effect, Exit, Metric, Semaphore } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Alarms, Metrics } from "effect-lifecycle/observability"
import { ConnectionPool } from "effect-lifecycle/store"
import { TestClock } from "effect/testing"

interface Request {
  readonly route: "POST /orders" | "GET /orders" | "GET /reports"
  /** How long it holds its connection; without one when absent. */
  readonly holdMillis?: number | undefined
  /** What becomes of it, where it gets that far. */
  readonly status?: number | undefined
}

/** The requests of one second. */
type Day = (second: number, random: () => number) => ReadonlyArray<Request>

export interface Recording {
  readonly samples: ReadonlyArray<Alarms.Sample>
  /** When the first 500 of `POST /orders` was sent; `undefined` on a calm day. */
  readonly first500Millis: number | undefined
  readonly requests: number
}

/** The same numbers in every run. */
const numbers = (seed: number) => {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

export const record = (alarms: ReadonlyArray<Alarms.Alarm>, minutes: number, day: Day): Effect.Effect<Recording> =>
  Effect.gen(function*() {
    const random = numbers(42)
    const size = 5
    const connections = yield* Semaphore.make(size)
    const take = Effect.acquireRelease(connections.take(1), () => connections.release(1), { interruptible: true })
    const pool = yield* ConnectionPool.make({ name: "orders", size, maxWait: "10 seconds" })
    const samples: Array<Alarms.Sample> = []
    let first500Millis: number | undefined
    let requests = 0

    const serve = ({ holdMillis, route, status = 200 }: Request) =>
      Effect.gen(function*() {
        requests++
        const startNanos = yield* Effect.clockWith((clock) => clock.monotonicTimeNanos)
        const held = holdMillis === undefined
          ? Effect.void
          : Effect.scoped(Effect.andThen(pool.lease(take), Effect.sleep(holdMillis)))
        const exit = yield* Effect.exit(held)
        const endNanos = yield* Effect.clockWith((clock) => clock.monotonicTimeNanos)
        const answered = Exit.isSuccess(exit) ? status : 500
        const [method = "", path = ""] = route.split(" ")
        if (answered === 500 && route === "POST /orders") {
          first500Millis ??= yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        }
        yield* Recorder.report(() => ({
          _tag: "ServerRequestEnded",
          service: "orders",
          method,
          route: path,
          path,
          status: answered,
          outcome: answered < 500 ? "ok" : "failed",
          stage: undefined,
          requestId: "r",
          userId: undefined,
          startNanos,
          endNanos
        }))
      })

    for (let second = 0; second < minutes * 60; second++) {
      samples.push(yield* Alarms.sample(alarms))
      for (const request of day(second, random)) {
        yield* Effect.forkChild(Effect.andThen(Effect.sleep(random() * 1000), serve(request)))
      }
      yield* TestClock.adjust("1 second")
    }
    return { samples, first500Millis, requests }
  }).pipe(
    Effect.provide(Metrics.layer, { local: true }),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

const times = (count: number, make: () => Request): ReadonlyArray<Request> => Array.from({ length: count }, make)

/** Six orders and eight reads a second, more or less; a bit less than half of the pool is in use. */
const ordinary = (random: () => number, holdMillis: (second: number) => number, second: number, share = 1) => [
  ...times(Math.round((5 + 2 * random()) * share), () => ({
    route: "POST /orders" as const,
    holdMillis: holdMillis(second) * (0.7 + 0.6 * random()),
    // Now and then somebody orders what there is not.
    status: random() < 0.05 ? 422 : 201
  })),
  ...times(Math.round((7 + 2 * random()) * share), () => ({
    route: "GET /orders" as const,
    holdMillis: 10 + 30 * random()
  }))
]

const usual = () => 300

/** From the third minute on payments does not answer. */
export const silentNeighbour: Day = (second, random) => ordinary(random, () => second < 180 ? 300 : 3_600_000, second)

/** From the third minute on payments is slower each second. */
export const slowerNeighbour: Day = (second, random) =>
  ordinary(random, () => 300 + Math.max(0, second - 180) * 10, second)

/** From the third minute on a connection is lost every minute. */
export const leak: Day = (second, random) => [
  ...ordinary(random, usual, second),
  ...(second >= 180 && second % 60 === 0
    ? [{ route: "GET /reports" as const, holdMillis: 36_000_000 }]
    : [])
]

/** Nothing happens. */
export const ordinaryDay: Day = (second, random) => ordinary(random, usual, second)

/** Twice a new version starts cold: for three seconds orders take nearly twice as long. */
export const deployments: Day = (second, random) =>
  ordinary(random, () => second % 400 >= 300 && second % 400 < 303 ? 500 : 300, second)

/** A third more customers than ever, reports that take their time, and a bug on a route that is not critical. */
export const busyLunch: Day = (second, random) => [
  ...ordinary(random, usual, second, second >= 180 && second < 600 ? 1.33 : 1),
  ...(second % 30 === 0 ? [{ route: "GET /reports" as const, status: 500 }] : []),
  ...(second % 200 === 0 ? [{ route: "GET /reports" as const, holdMillis: 2500 }] : [])
]
