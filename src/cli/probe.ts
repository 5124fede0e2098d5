/** `lifecycle probe URL`: one real request, drawn as a waterfall, and what is wrong with it when something is. */
import { Console, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Probe from "../client/Probe.ts"
import { diagnose } from "../lifecycle/Diagnosis.ts"
import * as Timeline from "../lifecycle/Timeline.ts"
import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { lines, measured } from "./findings.ts"

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
 * The file of `--ca` is not there, or holds nothing that could be trusted.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthoritiesUnusable extends Schema.TaggedError<AuthoritiesUnusable>()("AuthoritiesUnusable", {
  file: Schema.String,
  reason: Schema.String
}) {
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

const parseHeader = (line: string): readonly [string, string] => {
  const colon = line.indexOf(":")
  return colon < 0 ? [line.trim(), ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
}

const noAnswer = Effect.fnUntraced(function*(error: Probe.ProbeError) {
  const { cause, code, detail } = error
  if (error.entries.length === 0) return yield* new RequestFailed({ outcome: `nothing was sent, ${detail} (${code})` })
  yield* draw(error.timeline)
  const diagnosis = diagnose({ _tag: "NodeError", code, message: detail, cause })
  yield* printAll(measured(error.stage, `${error.host}: ${code} (${detail})`, diagnosis))
  return yield* new RequestFailed({ outcome: `no answer, ${error.stage} did not succeed` })
})

/**
 * Ends with the exit code 1 when no answer came, or one with a status of 400 and above.
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
      Flag.withDescription("\"Name: value\"; may be given several times")
    ),
    data: Flag.String("data").pipe(Flag.withAlias("d"), Flag.optional, Flag.withDescription("the request's body")),
    timeout: Flag.Finite("timeout").pipe(
      Flag.withDefault(30),
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
    )
  },
  Effect.fn("cli.probe")(function*({ ca, data, header, insecure, method, timeout, url }) {
    const trusted = Option.isSome(ca) ? yield* authorities(ca.value) : undefined
    const body = Option.getOrUndefined(data)
    const result = yield* Probe.probe({
      url,
      method: Option.getOrElse(method, () => body === undefined ? "GET" : "POST"),
      headers: Object.fromEntries(header.map(parseHeader)),
      body,
      timeout: `${timeout} seconds`,
      ca: trusted,
      rejectUnauthorized: !insecure
    }).pipe(Effect.catchTag("ProbeError", noAnswer))
    yield* draw(result.timeline)
    const outcome = `${result.status} over HTTP/${result.httpVersion}, ${result.bodyBytes} bytes`
    yield* Console.log(`${result.remoteAddress ?? url} answered ${outcome}`)
    if (result.status < 400) return
    yield* printAll(lines(diagnose({
      _tag: "Response",
      status: result.status,
      headers: result.headers,
      body: result.body
    })))
    return yield* new RequestFailed({ outcome: `the answer is ${result.status}` })
  })
).pipe(Command.withDescription("Send one request, draw how long each stage took, and explain a failure"))
