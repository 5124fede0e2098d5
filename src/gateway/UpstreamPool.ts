/**
 * The servers behind one name: a `LoadBalancer` over their addresses, kept connections to each, and the guards that all
 * requests to them share.
 *
 * Connections are kept alive and used again. What may be repeated is decided by a `RequestStrategy` with a `RetryBudget`;
 * which target works, by the balancer's `CircuitBreaker`. Several routes may share one pool.
 *
 * **Gotchas**
 *
 * - Only what an upstream does on the connection counts against it: refused, reset, malformed, too slow. A status is an
 *   answer of a server that lives, and a 503 of one that sheds load; let `ejectOn` name the statuses that should count.
 * - A request that the caller's own deadline ended says nothing about the upstream.
 * - `connections` bounds each target. Requests beyond it wait, within their deadline.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { UpstreamPool } from "effect-lifecycle/gateway"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* UpstreamPool.make({ name: "users", targets: ["http://127.0.0.1:4101", "http://127.0.0.1:4201"] })
 *   const states = yield* pool.balancer.snapshot
 *   return states.map(({ available, id }) => `${id} ${available}`)
 * })
 *
 * assert.deepEqual(await Effect.runPromise(Effect.scoped(program)), [
 *   "http://127.0.0.1:4101 true",
 *   "http://127.0.0.1:4201 true"
 * ])
 * ```
 *
 * @since 0.1.0
 */
import { Cause, type Duration, Effect, Exit, Option, Predicate, Schema, type Scope } from "effect"
import { createHash } from "node:crypto"
import * as Http from "node:http"
import * as Https from "node:https"
import { between, finiteMillis, wholeNumber } from "../resilience/InvalidOption.ts"
import * as RequestStrategy from "../resilience/RequestStrategy.ts"
import * as RetryBudget from "../resilience/RetryBudget.ts"
import * as RetrySchedule from "../resilience/RetrySchedule.ts"
import * as Verdict from "../resilience/Verdict.ts"
import { send } from "./internal/upstreamRequest.ts"
import * as LoadBalancer from "./LoadBalancer.ts"

export { UpstreamFailed, UpstreamTimeout } from "./internal/upstreamFailure.ts"

/**
 * A server of a pool; its id is its origin.
 *
 * @category models
 * @since 0.1.0
 */
export interface Upstream extends LoadBalancer.Target {
  readonly url: URL
  /** A name that tells nothing of its address. */
  readonly token: string
  /** How Node connects to it. */
  readonly connection: Https.RequestOptions
}

/**
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** In reports and errors. */
  readonly name: string
  /** Origins: `http://10.0.0.1:8080`, also with a weight. */
  readonly targets: ReadonlyArray<string | { readonly url: string; readonly weight?: number | undefined }>
  /** `round-robin` when absent. */
  readonly balance?: LoadBalancer.Policy | undefined
  /** Active checks: a GET of `path` must be answered with 200 to 399. None when absent. */
  readonly health?: (Omit<LoadBalancer.HealthOptions<Upstream>, "check"> & { readonly path: string }) | undefined
  readonly ejection?: LoadBalancer.EjectionOptions | undefined
  /** Statuses that count as failures of the target that answered; none when absent. */
  readonly ejectOn?: ReadonlyArray<number> | undefined
  readonly retries?: {
    /** The first one included, each on another target; 2 when absent, 1 for none. */
    readonly attempts?: number | undefined
    /** The share of the requests that may be repeated, beside `minimumPerSecond`; 0.2 when absent. */
    readonly ratio?: number | undefined
    /** 10 when absent. */
    readonly minimumPerSecond?: number | undefined
    /** Answers to ask another target for; 502, 503 and 504 when absent. */
    readonly statuses?: ReadonlyArray<number> | undefined
  } | undefined
  /** To one target; 256 when absent. */
  readonly connections?: number | undefined
  /** How long an idle connection is kept; 30 seconds when absent. Keep it below the target's own keep-alive timeout. */
  readonly keepAlive?: Duration.Input | undefined
  /** Until a connection stands; 5 seconds when absent. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Certificates, in PEM, of the authorities that targets with https are signed by; those of Node when absent. */
  readonly authorities?: string | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface UpstreamPool {
  readonly name: string
  readonly balancer: LoadBalancer.LoadBalancer<Upstream>
  readonly strategy: RequestStrategy.RequestStrategy
  /** What an answer or a failure says about the target. */
  readonly classify: (exit: Exit.Exit<{ readonly status: number }, unknown>) => Verdict.Outcome
  readonly connectMillis: number
  /** The id of the target with this token. */
  readonly byToken: (token: string) => string | undefined
}

class Unhealthy extends Schema.TaggedError<Unhealthy>()("Unhealthy", { status: Schema.Int }) {}

/**
 * Connections and checks end with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<UpstreamPool, never, Scope.Scope> => {
  const module = "UpstreamPool.make"
  const { name } = options
  const targetOf = (given: Options["targets"][number], agents: Agents): Upstream => {
    const { url: text, weight } = typeof given === "string" ? { url: given, weight: undefined } : given
    const url = new URL(text)
    return { id: url.origin, url, weight, token: token(name, url.origin), connection: connectionTo(url, agents) }
  }
  const connectMillis = finiteMillis(module, "connectTimeout", options.connectTimeout ?? "5 seconds")
  const agentOptions: Https.AgentOptions = {
    keepAlive: true,
    scheduling: "lifo",
    maxSockets: wholeNumber(module, "connections", options.connections ?? 256, 1, 100_000),
    maxFreeSockets: 64,
    timeout: finiteMillis(module, "keepAlive", options.keepAlive ?? "30 seconds"),
    ...(options.authorities === undefined ? {} : { ca: options.authorities })
  }
  const retried = new Set(options.retries?.statuses ?? [502, 503, 504])
  const ejecting = new Set(options.ejectOn)
  const attempts = wholeNumber(module, "retries.attempts", options.retries?.attempts ?? 2, 1, 10)
  const ratio = between(module, "retries.ratio", options.retries?.ratio ?? 0.2, 0, 10)
  return Effect.gen(function*() {
    const agents: Agents = {
      "http:": yield* agent(() => new Http.Agent(agentOptions)),
      "https:": yield* agent(() => new Https.Agent(agentOptions))
    }
    const targets = options.targets.map((given) => targetOf(given, agents))
    const { health } = options
    const balancer = yield* LoadBalancer.make<Upstream>({
      name,
      targets,
      policy: options.balance,
      ejection: options.ejection,
      health: health === undefined ? undefined : {
        ...health,
        check: (target) => check(name, target, health.path, connectMillis)
      }
    })
    const budget = yield* RetryBudget.ratio({
      name,
      ratio,
      minimumPerSecond: options.retries?.minimumPerSecond
    })
    const ids = new Map(targets.map((target) => [target.token, target.id]))
    return {
      name,
      balancer,
      strategy: RequestStrategy.sequential({
        name,
        attempts,
        budget,
        // The next attempt goes to another target, so there is nothing to wait for.
        delay: 0,
        jitter: RetrySchedule.none,
        verdict: verdictOf(retried)
      }),
      classify: (exit) => outcomeOf(exit, ejecting),
      connectMillis,
      byToken: (token) => ids.get(token)
    } satisfies UpstreamPool
  })
}

interface Agents {
  readonly "http:": Http.Agent
  readonly "https:": Https.Agent
}

const connectionTo = (url: URL, agents: Agents): Https.RequestOptions => {
  const protocol = url.protocol === "https:" ? "https:" : "http:"
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname
  return {
    protocol,
    host,
    port: url.port === "" ? (protocol === "https:" ? 443 : 80) : Number(url.port),
    agent: agents[protocol],
    setHost: false,
    // The certificate is of the target, whatever host the client asked for.
    ...(protocol === "https:" ? { servername: /[:\d]$/.test(host) ? "" : host } : {})
  }
}

const agent = <A extends Http.Agent>(build: () => A): Effect.Effect<A, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(build), (made) => Effect.sync(() => made.destroy()))

const token = (pool: string, id: string): string =>
  createHash("sha256").update(`${pool} ${id}`).digest("base64url").slice(0, 16)

const failure = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined

const isUpstreams = (error: unknown): boolean =>
  Predicate.isTagged(error, "UpstreamFailed") || Predicate.isTagged(error, "UpstreamTimeout")

const verdictOf = (retried: ReadonlySet<number>): Verdict.Classifier<unknown, unknown> => (exit) => {
  if (Exit.isSuccess(exit)) {
    const status = Predicate.hasProperty(exit.value, "status") ? exit.value.status : undefined
    // The wait that one target asks for is not about the next.
    return typeof status === "number" && retried.has(status) ? Verdict.reject() : Verdict.accept
  }
  const error = failure(exit)
  if (isUpstreams(error)) return Verdict.reject()
  // Another request took the one probe in between: another target may be free.
  if (Predicate.isTagged(error, "CircuitOpen")) return Verdict.reject()
  return Cause.hasDies(exit.cause) ? Verdict.fatal("failure") : Verdict.fatal("neutral")
}

const outcomeOf = (
  exit: Exit.Exit<{ readonly status: number }, unknown>,
  ejecting: ReadonlySet<number>
): Verdict.Outcome =>
  Exit.isSuccess(exit)
    ? ejecting.has(exit.value.status) ? "failure" : "success"
    : isUpstreams(failure(exit))
    ? "failure"
    : "neutral"

const check = (pool: string, target: Upstream, path: string, connectMillis: number) =>
  Effect.scoped(Effect.flatMap(
    send({
      pool,
      target,
      method: "GET",
      path,
      headers: ["host", target.url.host, "user-agent", "lifecycle-gateway-health"],
      body: { _tag: "Empty" },
      connectMillis,
      answerMillis: 0,
      idleMillis: connectMillis
    }),
    ({ status }) => status >= 200 && status < 400 ? Effect.void : Effect.fail(new Unhealthy({ status }))
  ))
