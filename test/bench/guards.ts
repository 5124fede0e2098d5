/**
 * What the guards cost and whether they do what theory says: the closed circuit beside its peers, hedging beside its closed
 * form and the published figures, retries when everything fails, and the client stack part by part.
 */
import { Clock, Effect, Fiber } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Bulkhead, CircuitBreaker, RequestStrategy, RetryBudget } from "effect-lifecycle/resilience"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { interleaved, median, type Row, type Suite } from "./Suite.ts"
import * as Tail from "./tail.ts"

const seed = 20_130_201
const rounds = 5
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const execute = (command: string, args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    execFile(command, args, (error, stdout, stderr) =>
      resume(
        error === null ? Effect.succeed(stdout) : Effect.die(new Error(`${command} ${args.join(" ")}: ${stderr}`))
      ))
  })

const withPeers = Effect.suspend(() =>
  existsSync(path("peers/node_modules")) ? Effect.void : execute("npm", ["ci", "--prefix", path("peers")])
)

/** One subject of `breaker.mjs`, in a process of its own. */
const breaker = (subject: string, mode: "time" | "keys") =>
  Effect.map(execute(process.execPath, ["--expose-gc", path("breaker.mjs"), subject, mode]), Number)

const ns = (nanos: number) => `${nanos.toFixed(0)} ns`
const percent = (share: number) => `${(share * 100).toFixed(1)} %`

const breakerRows = Effect.gen(function*() {
  yield* withPeers
  const time = (subject: string) => breaker(subject, "time")
  const figures = yield* interleaved({
    consecutive: time("ours consecutive"),
    window: time("ours time window"),
    effect: time("Effect consecutive"),
    rate: time("Effect rate"),
    cockatiel: time("cockatiel consecutive"),
    sampling: time("cockatiel sampling"),
    opossum: time("opossum")
  }, rounds)
  const of = (name: keyof typeof figures) => median(figures[name])
  const bytes = {
    ours: yield* breaker("ours time window", "keys"),
    effect: yield* breaker("Effect rate", "keys"),
    cockatiel: yield* breaker("cockatiel sampling", "keys"),
    opossum: yield* breaker("opossum", "keys")
  }
  const cost = (name: string, ours: number, effect: number, cockatiel: number): Array<Row> => [
    {
      name,
      ours: ns(ours),
      peers: { "Effect's own": ns(effect), cockatiel: ns(cockatiel), opossum: ns(of("opossum")) },
      ratio: effect / ours,
      goal: ">= 6",
      met: effect / ours >= 6
    },
    { name: "  in time", ours: ns(ours), peers: {}, ratio: 700 / ours, goal: "<= 700 ns", met: ours <= 700 }
  ]
  const rows: Array<Row> = [
    ...cost("closed circuit, consecutive, added a call", of("consecutive"), of("effect"), of("cockatiel")),
    ...cost("closed circuit, time window, added a call", of("window"), of("rate"), of("sampling")),
    {
      name: "an idle key of 10,000, time window",
      ours: `${bytes.ours.toFixed(0)} B`,
      peers: {
        "Effect's own (last 100)": `${bytes.effect.toFixed(0)} B`,
        cockatiel: `${bytes.cockatiel.toFixed(0)} B`,
        opossum: `${bytes.opossum.toFixed(0)} B`
      },
      ratio: bytes.effect / bytes.ours,
      goal: "<= 1000 B",
      met: bytes.ours <= 1000
    }
  ]
  return rows
})

const fixedHedge = (delay: number) => RequestStrategy.hedged({ attempts: 2, delay: `${delay * 1000} millis` })

const hedgeRows = Effect.gen(function*() {
  const calls = 20_000
  const delay = 10
  const survival: Tail.Survival = (t) => 0.95 * Math.exp(-t / 2) + 0.05 * Math.exp(-t / 20)
  const draw = Tail.inverse(survival)
  const random = Tail.seeded(seed)
  const measured = yield* Tail.measure(fixedHedge(delay), calls, () => draw(1 - random()))
  const form = Tail.hedgedOnce(survival, delay)
  const closed = Tail.inverse(form)
  const at = (share: number): Row => {
    const ours = Tail.quantile(measured.millis, share)
    const theory = closed(1 - share)
    return {
      name: `hedge after ${delay} ms, p${share * 100}, ${calls} calls, seed ${seed}`,
      ours: `${ours.toFixed(2)} ms`,
      peers: { "closed form S(t) S(t-d)": `${theory.toFixed(2)} ms`, "no hedge": `${draw(1 - share).toFixed(2)} ms` },
      ratio: theory / ours,
      goal: "within 5 %",
      met: Math.abs(ours / theory - 1) <= 0.05
    }
  }
  const [low, high] = Tail.binomialBand(calls, 0.001)
  const beyond = measured.millis.filter((millis) => millis > closed(0.001)).length
  const rows: Array<Row> = [
    at(0.5),
    at(0.99),
    {
      name: `  calls beyond p99.9 of the closed form`,
      ours: String(beyond),
      peers: { expected: "20", "99 % band": `${low} to ${high}` },
      ratio: 20 / beyond,
      goal: "in the band",
      met: beyond >= low && beyond <= high
    },
    {
      name: `  extra load`,
      ours: percent(measured.extra),
      peers: { "closed form S(d)": percent(survival(delay)) },
      ratio: survival(delay) / measured.extra,
      goal: "within 0.3 points",
      met: Math.abs(measured.extra - survival(delay)) <= 0.003
    }
  ]
  return rows
})

const leaves = 100_000
const goldenRatio = (Math.sqrt(5) - 1) / 2
const fanOuts = 50_000

const tailRows = Effect.gen(function*() {
  const random = Tail.seeded(seed + 1)
  const slowServers = (share: number, servers: number, paper: string) =>
    Effect.gen(function*() {
      const shares = Tail.stratified(leaves, random)
      const measured = yield* Tail.measure(
        RequestStrategy.single,
        leaves,
        (call) => (shares[call]! < share ? 1001 : 10)
      )
      const times = servers > 1000 ? fanOuts / 10 : fanOuts
      const slow = Tail.drawFanOuts(measured, servers, times, random).filter((millis) => millis > 1000).length / times
      const theory = 1 - (1 - share) ** servers
      const row: Row = {
        name: `requests over 1 s, ${servers} servers, 1 in ${Math.round(1 / share)} slow`,
        ours: percent(slow),
        peers: { paper, formula: percent(theory) },
        ratio: slow / theory,
        goal: "within 2 points",
        met: Math.abs(slow - theory) <= 0.02
      }
      return row
    })

  const width = 100
  const reach = 1 - 0.999 ** (1 / width)
  const leaf = Tail.logLog([[2, 1], [10, 0.02], [69, 3.248e-3], [1800, reach]])
  const draw = Tail.inverse(leaf)
  // Of the leaves that decide p99.9 of a hundred there is one in 100,000: it takes some of them to find the place, and shares
  // that cover the square of first and second attempt evenly.
  const calls = 4 * leaves
  const runLeaves = (strategy: RequestStrategy.RequestStrategy) => {
    const first = Tail.stratified(calls, random)
    const offset = random()
    const second = (call: number) => (Math.floor(first[call]! * calls) * goldenRatio + offset) % 1
    return Tail.measure(strategy, calls, (call, attempt) => draw(attempt === 1 ? 1 - first[call]! : 1 - second(call)))
  }
  const bare = yield* runLeaves(RequestStrategy.single)
  const hedged = yield* runLeaves(fixedHedge(10))
  const p999 = (measured: Tail.Measured) => Tail.quantile(Tail.drawFanOuts(measured, width, fanOuts, random), 0.999)
  const theory = (survival: Tail.Survival) => Tail.inverse(Tail.fanOut(survival, width))(0.001)
  const table = (name: string, ours: number, paper: string, formula: number): Row => ({
    name,
    ours: `${ours.toFixed(0)} ms`,
    peers: { paper, formula: `${formula.toFixed(0)} ms` },
    ratio: formula / ours,
    goal: "printed",
    met: true
  })
  const rows: Array<Row> = [
    yield* slowServers(0.01, 100, "63 %"),
    yield* slowServers(0.0001, 2000, "18 %"),
    table("BigTable read of 100 servers, p99.9 (calibrated)", p999(bare), "1800 ms", theory(leaf)),
    table("  with a hedge after 10 ms", p999(hedged), "74 ms", theory(Tail.hedgedOnce(leaf, 10))),
    {
      name: "  its extra load",
      ours: percent(hedged.extra),
      peers: { paper: "2 %", formula: percent(leaf(10)) },
      ratio: leaf(10) / hedged.extra,
      goal: "printed",
      met: true
    }
  ]
  return rows
})

const amplificationRow = Effect.gen(function*() {
  const calls = 20_000
  const perSecond = 1000
  const budget = yield* RetryBudget.ratio()
  const strategy = RequestStrategy.sequential({ attempts: 3, budget })
  let attempts = 0
  let lastAttempt = 0
  const call = strategy.run(() => {
    attempts++
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      lastAttempt = now
      return Effect.fail("down")
    })
  }, { method: "GET" })
  const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
  for (let i = 0; i < calls; i++) {
    fibers.push(yield* Effect.forkChild(Effect.exit(call), { startImmediately: true }))
    yield* TestClock.adjust(1000 / perSecond)
  }
  yield* TestClock.adjust("1 minute")
  yield* Fiber.joinAll(fibers)
  // Finagle's budget: a share of the calls, and beside it a reserve for each window of ten seconds that has begun.
  const reserve = 100 * Math.ceil(lastAttempt / 10_000)
  const allowed = 1 + 0.2 + reserve / calls
  const row: Row = {
    name: `attempts a call when all fail, ${perSecond} calls/s, 3 attempts`,
    ours: (attempts / calls).toFixed(4),
    peers: { "without a budget": "3" },
    ratio: (3 * calls) / attempts,
    goal: `<= ${allowed.toFixed(3)} (1 + 20 % + 10/s)`,
    met: attempts / calls <= allowed
  }
  return row
}).pipe(Effect.orDie, Effect.provide(TestClock.layer()))

const stackRows = Effect.gen(function*() {
  const calls = 20_000
  const request = HttpClientRequest.get("http://payments.internal/payments/1")
  const response = HttpClientResponse.fromWeb(request, new Response(null, { status: 204 }))
  const transport = HttpClient.make(() => Effect.succeed(response))
  const circuit = yield* CircuitBreaker.make({
    name: "bench",
    trip: CircuitBreaker.failureRate({ failureThreshold: 0.5, minimumThroughput: 20, samplingDuration: "10 seconds" }),
    breakDuration: "30 seconds"
  })
  const bulkhead = yield* Bulkhead.make({ name: "bench", permits: 64, queue: 64 })
  const nothing = { timeout: "none", strategy: "none", headers: false, spans: false, metrics: false } as const
  const stacks = {
    "bare client": transport,
    "empty stack": transport.pipe(ClientStack.make(nothing)),
    "+ deadline 20 s": transport.pipe(ClientStack.make({ ...nothing, timeout: "20 seconds" })),
    "+ strategy": transport.pipe(ClientStack.make({ ...nothing, timeout: "20 seconds", strategy: undefined })),
    "+ breaker": transport.pipe(
      ClientStack.make({ ...nothing, timeout: "20 seconds", strategy: undefined, breaker: circuit })
    ),
    "+ bulkhead": transport.pipe(
      ClientStack.make({ ...nothing, timeout: "20 seconds", strategy: undefined, breaker: circuit, bulkhead })
    ),
    "+ headers": transport.pipe(ClientStack.make({ spans: false, metrics: false, breaker: circuit, bulkhead })),
    "+ metrics": transport.pipe(ClientStack.make({ spans: false, breaker: circuit, bulkhead })),
    "+ spans (all)": transport.pipe(ClientStack.make({ breaker: circuit, bulkhead }))
  }
  const timed = (call: Effect.Effect<unknown, unknown>) =>
    Effect.gen(function*() {
      const started = process.threadCpuUsage()
      for (let i = 0; i < calls; i++) yield* call
      const { system, user } = process.threadCpuUsage(started)
      return (user + system) / calls
    })
  const figures = yield* interleaved(
    Object.fromEntries(Object.entries(stacks).map(([name, client]) => [name, timed(client.execute(request))])),
    rounds
  )
  const micros = (name: string) => median(figures[name] ?? [])
  let before = 0
  return Object.keys(stacks).map((name): Row => {
    const ours = micros(name)
    const added = ours - before
    before = ours
    return {
      name: `one call, ${name}`,
      ours: `${ours.toFixed(2)} us`,
      peers: { "added by this part": `${added.toFixed(2)} us` },
      ratio: micros("bare client") / ours,
      goal: "printed",
      met: true
    }
  })
}).pipe(Effect.provideService(Recorder.Current, () => undefined))

export const guards: Suite<never> = {
  name: "guards",
  rows: Effect.gen(function*() {
    return [
      ...(yield* breakerRows),
      ...(yield* hedgeRows),
      ...(yield* tailRows),
      yield* amplificationRow,
      ...(yield* stackRows)
    ]
  })
}
