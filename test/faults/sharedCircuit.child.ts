/**
 * A process with circuit breakers over a shared Redis, for sharedCircuit.test.ts. It reads commands from standard input and
 * writes answers to standard output, a JSON object a line each. Its one argument is the socket of the Redis.
 */
import { NodeRedis, NodeRuntime } from "@effect/platform-node"
import { Deferred, Duration, Effect, Exit, Queue } from "effect"
import { CircuitBreaker } from "effect/persistence"
import * as CircuitBreakerStore from "effect-lifecycle/resilience/CircuitBreakerStore"
import * as CircuitBreakerStoreRedis from "effect-lifecycle/resilience/CircuitBreakerStoreRedis"
import { createInterface } from "node:readline"
import type { Answer, Command, Kind, Result } from "./sharedCircuit.protocol.ts"
import { leaseMillis, openMillis, shortMillis } from "./sharedCircuit.protocol.ts"

const effectsOwn = (tripPolicy: CircuitBreaker.TripPolicy) =>
  Effect.provide(
    CircuitBreaker.make({ tripPolicy, openDuration: openMillis, onStoreError: "fail" }),
    CircuitBreaker.layerStoreRedis({ probeLease: leaseMillis })
  )

const timeWindow = (prefix: string, samplingMillis: number, probeMillis: number) =>
  Effect.provide(
    CircuitBreaker.make({
      tripPolicy: CircuitBreakerStore.decidedByStore,
      openDuration: openMillis,
      onStoreError: "fail"
    }),
    CircuitBreakerStoreRedis.layerStoreTimeWindowRedis({
      samplingDuration: samplingMillis,
      minimumThroughput: 3,
      failureThreshold: 0.5,
      probe: { lease: leaseMillis, maxDuration: probeMillis },
      keys: { prefix }
    })
  )

const said = (exit: Exit.Exit<Result, "failure" | CircuitBreaker.CircuitBreakerError>): Omit<Answer, "id"> => {
  if (Exit.isSuccess(exit)) return { said: "ran: success" }
  const reason = exit.cause.reasons[0]
  if (reason?._tag !== "Fail") return { said: String(exit.cause) }
  if (reason.error === "failure") return { said: "ran: failure" }
  const refused = reason.error.reason
  return refused._tag === "CircuitOpen"
    ? { said: refused._tag, retryAfterMillis: Duration.toMillis(refused.retryAfter) }
    : { said: refused._tag }
}

const main = Effect.gen(function*() {
  const breakers: Readonly<Record<Kind, CircuitBreaker.CircuitBreaker>> = {
    consecutive: yield* effectsOwn(CircuitBreaker.consecutive(3)),
    countRate: yield* effectsOwn(CircuitBreaker.rate({ threshold: 0.5, size: 10, minimumCalls: 3 })),
    timeWindow: yield* timeWindow("window:", 60_000, 30_000),
    shortWindow: yield* timeWindow("short-window:", shortMillis, 30_000),
    shortProbe: yield* timeWindow("short-probe:", 60_000, shortMillis)
  }
  const begun = new Map<string, Deferred.Deferred<Result>>()
  const ended = new Map<string, Deferred.Deferred<Omit<Answer, "id">>>()
  const answer = (answer: Answer) => Effect.sync(() => process.stdout.write(`${JSON.stringify(answer)}\n`))
  const endWith = (result: Result) => result === "success" ? Effect.succeed(result) : Effect.fail("failure" as const)

  const obey = Effect.fnUntraced(function*(command: Command) {
    const { id, key, kind } = command
    const breaker = breakers[kind]
    const name = `${kind} ${key}`
    switch (command.do) {
      case "call":
        return yield* answer({ id, ...said(yield* Effect.exit(breaker.execute(endWith(command.result), { key }))) })
      case "begin": {
        const result = Deferred.makeUnsafe<Result>()
        const outcome = Deferred.makeUnsafe<Omit<Answer, "id">>()
        const running = Effect.andThen(answer({ id, said: "running" }), Effect.flatMap(Deferred.await(result), endWith))
        begun.set(name, result)
        ended.set(name, outcome)
        const exit = said(yield* Effect.exit(breaker.execute(running, { key })))
        // A call that ran has answered when it began.
        if (!exit.said.startsWith("ran")) yield* answer({ id, ...exit })
        return yield* Deferred.succeed(outcome, exit)
      }
      case "end": {
        const result = begun.get(name)
        const outcome = ended.get(name)
        if (result === undefined || outcome === undefined) return yield* answer({ id, said: "nothing has begun" })
        yield* Deferred.succeed(result, command.result)
        return yield* answer({ id, ...yield* Deferred.await(outcome) })
      }
      case "state": {
        const state = yield* breaker.state(key)
        return yield* answer({
          id,
          said: state._tag === "HalfOpen" ? `HalfOpen, probing: ${state.probing}` : state._tag
        })
      }
    }
  })

  const lines = yield* Queue.unbounded<string>()
  createInterface(process.stdin)
    .on("line", (line) => Queue.offerUnsafe(lines, line))
    .on("close", () => process.exit(0))
  yield* answer({ id: 0, said: "ready" })
  return yield* Effect.forever(
    Effect.flatMap(Queue.take(lines), (line) => Effect.forkScoped(Effect.orDie(obey(JSON.parse(line) as Command))))
  )
})

NodeRuntime.runMain(
  Effect.scoped(main).pipe(Effect.provide(NodeRedis.layer({ socket: { path: process.argv[2] ?? "", tls: false } })))
)
