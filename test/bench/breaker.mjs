/**
 * One circuit breaker in a process of its own: `node breaker.mjs SUBJECT time|keys`.
 *
 * `time` prints the nanoseconds that a closed circuit adds to a call: rounds of calls with it and without it take turns, and
 * the figure is the median difference. `keys` prints the bytes that one idle key keeps, over 10,000 keys with a call each.
 */
import { Effect, Scope } from "effect"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"
import { createRequire } from "node:module"

const calls = 100_000
const rounds = 5
const keyCount = 10_000

const requirePeer = createRequire(new URL("./peers/package.json", import.meta.url))

/** What one call costs in a fiber that makes them one after the other. */
const inFiber = (call) =>
  Effect.runPromise(Effect.gen(function*() {
    for (let i = 0; i < calls; i++) yield* call
  }))

const inPromise = async (call) => {
  for (let i = 0; i < calls; i++) await call()
}

const ofEffect = async (make) => {
  const guard = await Effect.runPromise(make)
  const bare = Effect.succeed(1)
  return {
    bare: () => inFiber(bare),
    guarded: () => inFiber(guard("key", bare)),
    touch: (key) => Effect.runPromise(guard(key, bare))
  }
}

const ours = (trip) =>
  ofEffect(Effect.gen(function*() {
    const { CircuitBreaker } = yield* Effect.promise(() => import("effect-lifecycle/resilience"))
    const breaker = yield* CircuitBreaker.make({
      name: "bench",
      trip: trip(CircuitBreaker),
      breakDuration: "30 seconds"
    })
    return (key, effect) => breaker.run(key, effect)
  }))

const effects = (tripPolicy) =>
  ofEffect(
    EffectBreaker.make({ tripPolicy, openDuration: "30 seconds" }).pipe(
      Effect.map((breaker) => (key, effect) => breaker.execute(effect, { key })),
      Effect.provide(EffectBreaker.layerStoreMemory()),
      Effect.provideService(Scope.Scope, Scope.makeUnsafe())
    )
  )

const asyncCall = async () => 1

const cockatiel = (make) => {
  const peer = requirePeer("cockatiel")
  const policy = () => peer.circuitBreaker(peer.handleAll, { halfOpenAfter: 30_000, breaker: make(peer) })
  const one = policy()
  const kept = new Map()
  return {
    bare: () => inPromise(asyncCall),
    guarded: () => inPromise(() => one.execute(asyncCall)),
    touch: (key) => {
      const made = policy()
      kept.set(key, made)
      return made.execute(asyncCall)
    }
  }
}

const opossum = () => {
  const Breaker = requirePeer("opossum")
  const one = new Breaker(asyncCall)
  const kept = new Map()
  return {
    bare: () => inPromise(asyncCall),
    guarded: () => inPromise(() => one.fire()),
    touch: (key) => {
      const made = new Breaker(asyncCall)
      kept.set(key, made)
      return made.fire()
    }
  }
}

const subjects = {
  "ours consecutive": () => ours((breaker) => breaker.consecutive(5)),
  "ours time window": () =>
    ours((breaker) =>
      breaker.failureRate({ failureThreshold: 0.5, minimumThroughput: 20, samplingDuration: "10 seconds" })
    ),
  "Effect consecutive": () => effects(EffectBreaker.consecutive(5)),
  "Effect rate": () => effects(EffectBreaker.rate({ threshold: 0.5, minimumCalls: 20, size: 100 })),
  "cockatiel consecutive": () => cockatiel((peer) => new peer.ConsecutiveBreaker(5)),
  "cockatiel sampling": () => cockatiel((peer) => new peer.SamplingBreaker({ threshold: 0.5, duration: 10_000 })),
  opossum
}

/** Time of this thread's CPU, so that a neighbour's work does not count. */
const nanosOf = async (run) => {
  const started = process.threadCpuUsage()
  await run()
  const { system, user } = process.threadCpuUsage(started)
  return ((user + system) * 1000) / calls
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

const added = async (subject) => {
  const differences = []
  for (let round = -1; round < rounds; round++) {
    const bare = await nanosOf(subject.bare)
    const guarded = await nanosOf(subject.guarded)
    if (round >= 0) differences.push(guarded - bare)
  }
  return median(differences)
}

const used = async () => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const bytesPerKey = async (subject) => {
  for (let i = 0; i < 50; i++) await subject.touch("warm")
  const names = Array.from({ length: keyCount }, (_, i) => `http://host-${i}.internal:8080`)
  const before = await used()
  for (const name of names) await subject.touch(name)
  return ((await used()) - before) / keyCount
}

const [name = "", mode = "time"] = process.argv.slice(2)
const make = subjects[name]
if (make === undefined) {
  console.error(`usage: breaker.mjs ${Object.keys(subjects).map((each) => JSON.stringify(each)).join(" | ")} time|keys`)
  process.exit(2)
}
const subject = await make()
console.log(JSON.stringify(mode === "keys" ? await bytesPerKey(subject) : await added(subject)))
process.exit(0)
