/** What a row of the failure table says: how it is caused, and what has to be seen. */
import type { Effect, Scope } from "effect"
import { Failure, type Stage } from "effect-lifecycle/lifecycle"
import type { LookupFunction } from "node:net"
import type { Certificates } from "./certificates.ts"
import type { DoorName, GatewayOptions, NginxOptions } from "./doors.ts"

/** What a client sends. Token and cookie are in it unless it says otherwise. */
export interface Request {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly token?: string | null
  /** These bytes, in place of all that. `TOKEN` and `COOKIE` stand for the secrets. */
  readonly raw?: string
}

/**
 * What stands behind a door: the application in this process, with a pool of one connection to PostgreSQL, with a quota of
 * one request, with room for one request, or in a process of its own; a port that nobody listens on; one that takes a request and stays silent; one that answers with something
 * else than HTTP.
 */
export type Behind = "application" | "database" | "frugal" | "small" | "worker" | "closed" | "silent" | "noise"

/** Who keeps a log. */
export type Logger = "application" | DoorName

export interface Expected {
  /** `undefined` where the client gets no whole answer. */
  readonly status: number | undefined
  readonly form: "problem" | "html" | "empty" | "none"
  readonly stage: Stage.StageName | "undecided"
  readonly failure: Failure.FailureId | undefined
  /** What the stage is once the proxy's error log is at hand, where that is another. */
  readonly withLog?: { readonly stage: Stage.StageName; readonly failure: Failure.FailureId }
  /** How nginx's error log puts it, where `Failure` has the words for another cause of the same row. */
  readonly nginxLog?: string
  /** The request's id stands on the answer, and in these logs. */
  readonly id: "answer" | "logs"
  /** The problem's own id is another: it was written before the door's was read. */
  readonly ownId?: boolean
  /** Whose access log has a line, with this status. */
  readonly lines: Readonly<Partial<Record<Logger, number>>>
}

/** A failure that is answered, or not answered, by what a client speaks to: at the application's own port or at a door. */
export interface ServerRow {
  readonly kind: "server"
  readonly failure: Failure.FailureId
  readonly fault: string
  readonly behind: ReadonlyArray<Behind>
  readonly request: Request
  /** Sent before it, and answered. */
  readonly before?: Request
  /** Sent before it, and still under way. */
  readonly beside?: Request
  /** The client goes away after this time. */
  readonly leavesAfterMillis?: number
  readonly gatewayOptions?: GatewayOptions
  readonly nginxOptions?: NginxOptions
  readonly at: Readonly<Partial<Record<DoorName | "direct", Expected>>>
}

/** Where a client is sent to. */
export interface Target {
  readonly url: string
  readonly lookup?: LookupFunction
  readonly headers?: Readonly<Record<string, string>>
  readonly options?: { readonly minVersion?: "TLSv1.3" }
}

export type ClientName = "node" | "fetch" | "probe" | "effect" | "curl"

/** A failure before any HTTP answer, which only the client sees. */
export interface ClientRow {
  readonly kind: "client"
  /** `undefined`: the evidence fits several rows, and no rule may decide. */
  readonly failure: Failure.FailureId | undefined
  readonly fault: string
  readonly cause: (certificates: Certificates) => Effect.Effect<Target, never, Scope.Scope>
  /** Which clients are sent; the first one's error is the one in the table. */
  readonly clients: ReadonlyArray<ClientName>
  /** Of the first client. */
  readonly code: string
}

export type Row = ServerRow | ClientRow

/** The application answers, whatever stands in front of it. */
export const answeredByApplication = (id: Failure.FailureId): ServerRow["at"] => {
  const { stage, status } = Failure.get(id)
  const code = status ?? undefined
  const expected = (lines: Expected["lines"]): Expected => ({
    status: code,
    form: "problem",
    stage,
    failure: id,
    id: "answer",
    lines
  })
  const line = code ?? 0
  return {
    gateway: expected({ application: line, gateway: line }),
    nginx: expected({ application: line, nginx: line })
  }
}

/** The gateway answers, in our form. */
export const byGateway = (
  id: Failure.FailureId | undefined,
  stage: Stage.StageName,
  status: number,
  more: Partial<Expected> = {}
): Expected => ({
  status,
  form: "problem",
  stage,
  failure: id,
  id: "answer",
  lines: { gateway: status },
  ...more
})

/** Nginx answers with its page. */
export const byNginx = (id: Failure.FailureId, status: number, more: Partial<Expected> = {}): Expected => ({
  status,
  form: "html",
  stage: "Proxy",
  failure: id,
  id: "answer",
  lines: { nginx: status },
  ...more
})
