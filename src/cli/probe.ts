/** `lifecycle probe URL`: one real request, drawn as a waterfall, and what is wrong with it when something is. */
import { Console, Effect, Option, Runtime, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Probe from "../client/Probe.ts"
import { diagnose } from "../lifecycle/Diagnosis.ts"
import * as Timeline from "../lifecycle/Timeline.ts"
import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { adviceOn, lines, measured } from "./findings.ts"
import * as probeReport from "./internal/probeReport.ts"

/**
 * The request failed; the lines above say where and why.
 *
 * @category errors
 * @since 0.1.0
 */
export class RequestFailed extends Schema.TaggedError<RequestFailed>()("RequestFailed", { outcome: Schema.String }) {
  override get message(): string {
    return `The request failed: ${this.outcome}.`
  }
}

/**
 * It was asked in a way that nothing could be sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class NothingSent extends Schema.TaggedError<NothingSent>()("NothingSent", { sentence: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return this.sentence
  }
}

/**
 * The file of `--ca` is not there, or holds nothing that could be trusted.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthoritiesUnusable extends Schema.TaggedError<AuthoritiesUnusable>()("AuthoritiesUnusable", {
  file: Schema.String,
  reason: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return `--ca ${this.file} ${this.reason}: name a file of certificates in PEM, as \`openssl x509\` writes them.`
  }
}

const certificates = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g

/** The certificates of a file, each of them read once: Node would pass over a broken one and then trust nobody. */
const authorities = Effect.fnUntraced(function*(file: string) {
  const unusable = (reason: string) => new AuthoritiesUnusable({ file, reason })
  const text = yield* Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (cause) => unusable(`cannot be read (${(cause as NodeJS.ErrnoException).code})`)
  })
  const found = text.match(certificates) ?? []
  if (found.length === 0) return yield* unusable("holds no certificate")
  for (const [index, pem] of found.entries()) {
    yield* Effect.try({
      try: () => new X509Certificate(pem),
      catch: () => unusable(`has a broken certificate (number ${index + 1})`)
    })
  }
  return found.join("\n")
})

const printAll = (text: ReadonlyArray<string>) => Console.log(text.join("\n"))

const draw = (timeline: Timeline.Timeline) =>
  Effect.suspend(() =>
    Console.log(Timeline.waterfall(timeline, {
      width: process.stdout.columns ?? 100,
      color: process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === ""
    }))
  )

/** What a header's name may hold, by RFC 9110. */
const headerLine = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([^]*?)\s*$/

/** A name that is given several times is sent several times. What was given is not repeated: it may be a secret. */
const headersOf = Effect.fnUntraced(function*(given: ReadonlyArray<string>) {
  const headers = new Map<string, { readonly name: string; readonly values: Array<string> }>()
  for (const [index, line] of given.entries()) {
    const [, name, value] = headerLine.exec(line) ?? []
    if (name === undefined || value === undefined) {
      return yield* new NothingSent({
        sentence:
          `--header number ${index + 1} ${line.includes(":") ? "has no name before its colon" : "has no colon"}: ` +
          "write it in the form `name: value`, such as \"Accept: application/json\"."
      })
    }
    const known = headers.get(name.toLowerCase())
    if (known === undefined) headers.set(name.toLowerCase(), { name, values: [value] })
    else known.values.push(value)
  }
  return Object.fromEntries(Array.from(headers.values(), ({ name, values }) => [name, values]))
})

/** How a report is shown: drawn for a person, or as JSON for a program. */
interface Shown {
  readonly json: boolean
  readonly method: string
  readonly url: string
}

/** To the microsecond: what is left of a difference of floats says nothing. */
const print = (report: probeReport.ProbeReport) =>
  Console.log(
    JSON.stringify(
      report,
      (name, value) => typeof value === "number" && name.endsWith("Millis") ? Math.round(value * 1000) / 1000 : value
    )
  )

const noAnswer = Effect.fnUntraced(function*(error: Probe.ProbeError, shown: Shown) {
  const { cause, code, detail, stage } = error
  if (error.entries.length === 0) {
    return yield* new NothingSent({ sentence: `The request failed: nothing was sent, ${detail} (${code}).` })
  }
  const diagnosis = diagnose({ _tag: "NodeError", code, message: detail, cause })
  const evidence = `${error.host}: ${code} (${detail})`
  if (shown.json) {
    const advice = adviceOn(stage, diagnosis)
    yield* print(probeReport.unanswered(shown, error, { evidence, advice, reached: diagnosis.reached }))
  } else {
    yield* draw(error.timeline)
    yield* printAll(measured(stage, evidence, diagnosis))
  }
  return yield* new RequestFailed({ outcome: `no answer, ${stage} did not succeed` })
})

const answered = Effect.fnUntraced(function*(result: Probe.ProbeResult, shown: Shown) {
  const { body, headers, status } = result
  const diagnosis = status < 400 ? undefined : diagnose({ _tag: "Response", status, headers, body })
  if (shown.json) yield* print(probeReport.answered(shown, result, diagnosis))
  else {
    yield* draw(result.timeline)
    const outcome = `${status} over HTTP/${result.httpVersion}, ${result.bodyBytes} bytes`
    yield* Console.log(`${result.remoteAddress ?? shown.url} answered ${outcome}`)
    if (diagnosis !== undefined) yield* printAll(lines(diagnosis))
  }
  if (diagnosis !== undefined) return yield* new RequestFailed({ outcome: `the answer is ${status}` })
})

/**
 * Ends with the exit code 1 when no answer came, or one with a status of 400 and above, and with 2 when it was asked in a
 * way that nothing could be sent.
 *
 * @category commands
 * @since 0.1.0
 */
export const probe = Command.make(
  "probe",
  {
    url: Argument.String("url").pipe(Argument.withDescription("an absolute http or https URL")),
    method: Flag.String("method").pipe(
      Flag.withAlias("X"),
      Flag.optional,
      Flag.withDescription("GET when absent, POST with --data")
    ),
    header: Flag.String("header").pipe(
      Flag.withAlias("H"),
      Flag.atLeast(0),
      Flag.withDescription("\"name: value\"; may be given several times")
    ),
    data: Flag.String("data").pipe(Flag.withAlias("d"), Flag.optional, Flag.withDescription("the request's body")),
    timeout: Flag.Finite("timeout").pipe(
      Flag.withDefault(30),
      Flag.filter((seconds) => seconds > 0, (seconds) => `${seconds}: a number of seconds above 0`),
      Flag.withDescription("seconds for the whole trip; 30 when absent")
    ),
    ca: Flag.String("ca").pipe(
      Flag.optional,
      Flag.withDescription("a PEM file of the certificate authorities to trust instead of the system's")
    ),
    insecure: Flag.Boolean("insecure").pipe(
      Flag.withAlias("k"),
      Flag.withDefault(false),
      Flag.withDescription("accept a certificate that cannot be verified")
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDefault(false),
      Flag.withDescription("print the stages, the answer and the diagnosis as one JSON line; exit codes as without it")
    )
  },
  Effect.fn("cli.probe")(function*({ ca, data, header, insecure, json, method: given, timeout, url }) {
    const headers = yield* headersOf(header)
    const trusted = Option.isSome(ca) ? yield* authorities(ca.value) : undefined
    const body = Option.getOrUndefined(data)
    const method = Option.getOrElse(given, () => body === undefined ? "GET" : "POST")
    const shown: Shown = { json, method, url }
    yield* Probe.probe({
      url,
      method,
      headers,
      body,
      timeout: `${timeout} seconds`,
      ca: trusted,
      rejectUnauthorized: !insecure
    }).pipe(Effect.matchEffect({
      onFailure: (error) => noAnswer(error, shown),
      onSuccess: (result) => answered(result, shown)
    }))
  })
).pipe(
  Command.withShortDescription("Send one request, draw how long each stage took, and explain a failure"),
  Command.withDescription(
    "Send one request, draw how long each stage took, and explain a failure. " +
      "Ends with 0 for an answer below 400, 1 for any other answer or none, 2 where nothing could be sent"
  )
)
