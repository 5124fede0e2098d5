/** What servers and clients say of requests. */
import type { Cause } from "effect"
import type { StageName } from "../../Stage.ts"

/**
 * One measured part of a request: how long a stage took, on its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface StageTimed {
  readonly _tag: "StageTimed"
  readonly stage: StageName
  /** The module or party that did the work, such as `server/Authentication`. */
  readonly name: string
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * The parts of a request that were measured since the report before. A server tells of all its stages at once, when the
 * answer is ready: one report a stage would cost three times as much.
 *
 * @category models
 * @since 0.1.0
 */
export interface StagesTimed {
  readonly _tag: "StagesTimed"
  readonly stages: ReadonlyArray<StageTimed>
}

/**
 * A request has reached the server's outermost stage.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerRequestStarted {
  readonly _tag: "ServerRequestStarted"
  readonly service: string
  readonly method: string
  /** How the client asked, in both reports of a request; `undefined` where the server does not say. */
  readonly scheme?: "http" | "https" | undefined
}

/**
 * A response has left the server, or its client has.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerRequestEnded {
  readonly _tag: "ServerRequestEnded"
  readonly service: string
  readonly method: string
  readonly scheme?: "http" | "https" | undefined
  /** The route's template, or `undefined` where no route matched. Never the raw path. */
  readonly route: string | undefined
  /** The path without its query. For log lines only, never a metric label. */
  readonly path: string
  readonly status: number
  readonly outcome: "ok" | "failed" | "aborted"
  /** The stage that answered, where it was not the handler. */
  readonly stage: StageName | undefined
  readonly requestId: string
  readonly userId: string | undefined
  /** Refused before it began: there was no `ServerRequestStarted`. */
  readonly refused?: boolean | undefined
  /** The service that asked, as a trusted caller names itself in `x-service-name`. */
  readonly client?: string | undefined
  /** The bytes of the request's body, where it said how many. */
  readonly requestBytes?: number | undefined
  /** The bytes of the answer's body that were handed over. */
  readonly responseBytes?: number | undefined
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A request to another service has ended. One logical call gives one report, whatever it took to answer it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientRequestEnded {
  readonly _tag: "ClientRequestEnded"
  readonly method: string
  /** Scheme, host and port; never a path. */
  readonly endpoint: string
  /** The path template that the caller named, or `undefined`. */
  readonly route: string | undefined
  /** `undefined` where no response came. */
  readonly status: number | undefined
  /** Where no response came: the `_tag` of the failure, `interrupted`, or `defect`. */
  readonly errorTag?: string | undefined
  readonly attempts: number
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * One request of a client has ended: an attempt of a logical call, with what came back on the wire.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientAttemptEnded {
  readonly _tag: "ClientAttemptEnded"
  readonly method: string
  /** Scheme, host and port; never a path. */
  readonly endpoint: string
  readonly route: string | undefined
  /** `undefined` where no response came. */
  readonly status: number | undefined
  readonly attempt: number
  readonly kind: "primary" | "retry" | "hedge"
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A header was present but not usable, so it was treated as absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeaderIgnored {
  readonly _tag: "HeaderIgnored"
  readonly header: string
  readonly reason: string
}

/**
 * A deadline passed before its work was done.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadlineMissed {
  readonly _tag: "DeadlineMissed"
  readonly budgetMillis: number
}

/**
 * A bug: something failed that no type announces. Its cause is for the operator, never for the client.
 *
 * @category models
 * @since 0.1.0
 */
export interface DefectCaught {
  readonly _tag: "DefectCaught"
  readonly stage: StageName
  readonly requestId: string | undefined
  readonly cause: Cause.Cause<unknown>
}

/**
 * How late the event loop of this process was since the report before, and which part of the time it worked.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventLoopObserved {
  readonly _tag: "EventLoopObserved"
  readonly service: string
  readonly meanMillis: number
  readonly p50Millis: number
  readonly p99Millis: number
  readonly maxMillis: number
  /** From 0, idle, to 1. */
  readonly utilization: number
}
