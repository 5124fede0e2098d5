/**
 * One JSON line for each log message, one access line for each request, one error line for each bug.
 *
 * {@link layer} replaces the loggers of Effect. Every line has `time`, `level`, `message` and `service`, and, where they are
 * known, `request_id`, `user_id`, `trace_id` and `span_id`. A message's parts that are text become `message`; objects are
 * put into `data`. Log annotations become fields of their own: `requestId` is written as `request_id`, `userId` as
 * `user_id`, and `service` takes the place of the layer's.
 *
 * When a request ends, its access line says `message: "request"`, method, path, route, status, duration, request id, user
 * id, service, outcome and stage, at level `INFO`, or `ERROR` from status 500. Headers, bodies and query strings are not
 * in the report it is made of. Effect's `tracerLogger` stays, so log messages are still events of the current span.
 *
 * **Gotchas**
 *
 * - What an application passes to `Effect.log` is written: keep secrets in `Redacted`.
 * - The pretty cause of a bug holds its error messages. Query strings and credentials of URLs in it are removed, other
 *   secrets in an error's message are not. Of what was failed or thrown and is no `Error`, only the tag or type is told.
 * - The layer reads `minimumLevel` only once; without it `References.MinimumLogLevel` decides, as always.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Logs } from "effect-lifecycle/observability"
 * import assert from "node:assert/strict"
 *
 * const lines: Array<string> = []
 * const program = Effect.logInfo("order placed").pipe(
 *   Effect.annotateLogs({ requestId: "r-1" }),
 *   Effect.provide(Logs.layer({ service: "orders", sink: (line) => lines.push(line) }))
 * )
 *
 * await Effect.runPromise(program)
 * const { time, ...rest } = JSON.parse(lines[0] ?? "{}")
 * assert.deepEqual(rest, { level: "INFO", message: "order placed", request_id: "r-1", service: "orders" })
 * ```
 *
 * @since 0.1.0
 */
import {
  Cause,
  Clock,
  Console,
  type Fiber,
  Formatter,
  Layer,
  Logger,
  LogLevel,
  References,
  type Tracer
} from "effect"
import type { DefectCaught, Recorder, ServerRequestEnded } from "../lifecycle/Recorder.ts"
import { install } from "./internal/hub.ts"
import * as Names from "./Names.ts"

/**
 * Where a line goes: called with one line of JSON without its line break, and the fiber it was written on.
 *
 * @category models
 * @since 0.1.0
 */
export type Sink = (line: string, fiber: Fiber.Fiber<unknown, unknown>) => void

/**
 * What the lines of a service look like and where they go.
 *
 * @category models
 * @since 0.1.0
 */
export interface LogsOptions {
  readonly service: string
  /** Standard output, through the fiber's `Console`, when absent. */
  readonly sink?: Sink | undefined
  /** Lines below this level are not written; the surrounding `References.MinimumLogLevel` decides when absent. */
  readonly minimumLevel?: LogLevel.LogLevel | undefined
}

/**
 * A logger that writes JSON lines.
 *
 * @category constructors
 * @since 0.1.0
 */
export const logger = (options: LogsOptions): Logger.Logger<unknown, void> => {
  const sink = options.sink ?? toConsole
  return Logger.make(({ cause, date, fiber, logLevel, message }) => {
    const texts: Array<string> = []
    const data: Array<unknown> = []
    for (const part of Array.isArray(message) ? message : [message]) {
      if (typeof part === "object" && part !== null) data.push(part)
      else texts.push(String(part))
    }
    const line: Record<string, unknown> = start(date.toISOString(), logLevel, texts.join(" "), fiber)
    line[fields.service] = options.service
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    for (const key in annotations) {
      const field = key === "requestId" ? fields.requestId : key === "userId" ? fields.userId : key
      // An annotation may not pass for what only the logger knows.
      line[owned.has(field) ? `annotation_${field}` : field] = annotations[key]
    }
    if (data.length > 0) line[fields.data] = data
    const spans = fiber.getRef(References.CurrentLogSpans)
    if (spans.length > 0) {
      line[fields.spans] = Object.fromEntries(spans.map(([label, since]) => [label, date.getTime() - since]))
    }
    if (cause.reasons.length > 0) line[fields.cause] = pretty(cause)
    sink(oneLine(Formatter.formatJson(line)), fiber)
  })
}

/**
 * A recorder that writes an access line when a request has ended, and an error line when a bug was caught.
 *
 * @category constructors
 * @since 0.1.0
 */
export const recorder = (options: LogsOptions): Recorder => {
  const sink = options.sink ?? toConsole
  const stamp = timestamps()
  return (report, fiber) => {
    if (report._tag !== "ServerRequestEnded" && report._tag !== "DefectCaught") return
    const level = report._tag === "DefectCaught" || report.status >= 500 ? "Error" : "Info"
    if (LogLevel.Order(fiber.cache.minimumLogLevel, level) > 0) return
    const time = stamp(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
    const line = report._tag === "DefectCaught"
      ? oneLine(JSON.stringify(defectLine(report, fiber, start(time, level, "defect", fiber), options.service)))
      : accessLine(report, time, level, fiber.cache.span)
    sink(line, fiber)
  }
}

/**
 * Replaces the loggers by JSON lines, and writes access and error lines for what is reported.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: LogsOptions): Layer.Layer<never> => {
  const layers = Layer.merge(Logger.layer([logger(options), Logger.tracerLogger]), install(() => recorder(options)))
  return options.minimumLevel === undefined
    ? layers
    : Layer.merge(layers, Layer.succeed(References.MinimumLogLevel, options.minimumLevel))
}

const { fields } = Names

const owned: ReadonlySet<string> = new Set([
  fields.time,
  fields.level,
  fields.message,
  fields.traceId,
  fields.spanId,
  fields.data,
  fields.spans,
  fields.cause
])

const toConsole: Sink = (line, fiber) => {
  const console = fiber.getRef(Console.Console)
  if (fiber.getRef(References.LogToStderr)) console.error(line)
  else console.log(line)
}

const start = (
  time: string,
  level: LogLevel.LogLevel,
  message: string,
  fiber: Fiber.Fiber<unknown, unknown>
): Record<string, unknown> => {
  const line: Record<string, unknown> = {
    [fields.time]: time,
    [fields.level]: level.toUpperCase(),
    [fields.message]: message
  }
  const span = fiber.cache.span
  if (span !== undefined) {
    line[fields.traceId] = span.traceId
    line[fields.spanId] = span.spanId
  }
  return line
}

/** A path is as long as its sender likes. */
const maxPath = 2048

/** Written by hand, because every request has one: `JSON.stringify` of the same fields takes three times as long. */
const accessLine = (
  report: ServerRequestEnded,
  time: string,
  level: LogLevel.LogLevel,
  span: Tracer.AnySpan | undefined
): string => {
  const { method, outcome, requestId, route = "", service, stage, userId = "" } = report
  const query = report.path.indexOf("?")
  const path = (query === -1 ? report.path : report.path.slice(0, query)).slice(0, maxPath)
  // One look at all that others have chosen, instead of one at each.
  const { spanId = "", traceId = "" } = span ?? {}
  const quote = plain.test(`${method}${path}${route}${requestId}${userId}${service}${traceId}${spanId}`)
    ? inQuotes
    : asJson
  let line = `${keys.time}"${time}"${level === "Error" ? keys.error : keys.info}`
  if (span !== undefined) line += `${keys.traceId}${quote(traceId)}${keys.spanId}${quote(spanId)}`
  line += `${keys.method}${quote(method)}${keys.path}${quote(path)}`
  if (report.route !== undefined) line += `${keys.route}${quote(route)}`
  line += `${keys.status}${report.status}${keys.durationMillis}${millis(report)}${keys.requestId}${quote(requestId)}`
  if (report.userId !== undefined) line += `${keys.userId}${quote(userId)}`
  line += `${keys.service}${quote(service)}${keys.outcome}"${outcome}"`
  if (stage !== undefined) line += `${keys.stage}"${stage}"`
  return `${line}}`
}

const key = (name: keyof typeof fields): string => `,"${fields[name]}":`

/** What is the same in every line. */
const keys = {
  time: `{"${fields.time}":`,
  info: `${key("level")}"INFO"${key("message")}"request"`,
  error: `${key("level")}"ERROR"${key("message")}"request"`,
  traceId: key("traceId"),
  spanId: key("spanId"),
  method: key("method"),
  path: key("path"),
  route: key("route"),
  status: key("status"),
  durationMillis: key("durationMillis"),
  requestId: key("requestId"),
  userId: key("userId"),
  service: key("service"),
  outcome: key("outcome"),
  stage: key("stage")
}

/** Two whole numbers are written faster than a fraction. */
const millis = ({ endNanos, startNanos }: ServerRequestEnded): string => {
  const micros = Math.max(0, Math.round(Number(endNanos - startNanos) / 1000))
  const whole = Math.floor(micros / 1000)
  return `${whole}.${String(micros - whole * 1000).padStart(3, "0")}`
}

/** Text that JSON takes as it is. */
const plain = /^[ !#-[\]-~]*$/

const inQuotes = (value: string): string => `"${value}"`
const asJson = (value: string): string => oneLine(JSON.stringify(value))

/** Times of one second differ in their last digits: making the whole text anew takes longer than the rest of a line. */
const timestamps = (): (millis: number) => string => {
  let second = Number.NaN
  let prefix = ""
  let last = Number.NaN
  let text = ""
  return (millis) => {
    if (millis === last) return text
    const whole = Math.floor(millis / 1000)
    if (whole !== second) {
      second = whole
      prefix = new Date(whole * 1000).toISOString().slice(0, -4)
    }
    last = millis
    return text = `${prefix}${String(Math.floor(millis - whole * 1000)).padStart(3, "0")}Z`
  }
}

const defectLine = (
  report: DefectCaught,
  fiber: Fiber.Fiber<unknown, unknown>,
  line: Record<string, unknown>,
  service: string
): Record<string, unknown> => {
  const annotated = fiber.getRef(References.CurrentLogAnnotations)["service"]
  line[fields.requestId] = report.requestId
  line[fields.service] = typeof annotated === "string" ? annotated : service
  line[fields.stage] = report.stage
  line[fields.cause] = pretty(report.cause)
  return line
}

/** Errors of HTTP clients and database drivers quote the URL they used, with what it carries. */
const pretty = (cause: Cause.Cause<unknown>): string =>
  Cause.pretty(Cause.fromReasons(cause.reasons.map(withoutFields)))
    .replace(/(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#@"']+@/gi, "$1")
    .replace(/(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s?#"']*)\?[^\s"')]*/gi, "$1?...")

const withoutFields = (reason: Cause.Reason<unknown>): Cause.Reason<unknown> => {
  if (Cause.isFailReason(reason)) {
    const error = named(reason.error)
    return error === reason.error ? reason : Cause.makeFailReason(error)
  }
  if (Cause.isDieReason(reason)) {
    const defect = named(reason.defect)
    return defect === reason.defect ? reason : Cause.makeDieReason(defect)
  }
  return reason
}

/** Of what is no error only the kind is told: `Cause.pretty` would write all it holds. */
const named = (thrown: unknown): unknown => {
  if (thrown instanceof Error) {
    const cause = named(thrown.cause)
    if (cause === thrown.cause) return thrown
    const copy = new Error(thrown.message, { cause })
    copy.name = thrown.name
    if (thrown.stack !== undefined) copy.stack = thrown.stack
    return copy
  }
  if (typeof thrown !== "object" || thrown === null) return thrown
  const kind = "_tag" in thrown && typeof thrown._tag === "string" ? thrown._tag : thrown.constructor?.name ?? "Object"
  return `${kind}, which is no Error: its fields are left out`
}

/** JSON escapes CR and LF; some readers of lines also break at these. */
const oneLine = (json: string): string =>
  // oxlint-disable-next-line no-control-regex
  json.replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
