/** Reads what curl printed: `-v` or `-i` output, a bare body, its error line, and lines of a proxy's log pasted beside it. */
import { property } from "./responseFacts.ts"

/** A response as it stands in a pasted text. */
export interface CurlResponse {
  readonly status: number
  readonly reason: string
  readonly headers: Readonly<Record<string, string>>
  /** `undefined` where the text ends before a body could begin. */
  readonly body: string | undefined
}

/** What a pasted text holds. */
export interface CurlOutput {
  readonly exitCode: number | undefined
  readonly error: string | undefined
  /** The last response, or `undefined` where no HTTP answer came. */
  readonly response: CurlResponse | undefined
  readonly connected: boolean
  readonly log: string
}

const limit = 262_144
const statusLine = /^(< ?)?HTTP\/\d(?:\.\d)? (\d{3})(?: (.*))?$/
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/
const logLine = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[\w+\]/
const errorLine = /curl: \((\d{1,3})\) ?(.*)$/
/** curl's own talk, its progress meter, and the prompt of a shell. */
const noise = /^(?:\* |\*$|> |>$|[{}] \[|\$ |\s+% Total|\s+Dload|\s*\d{1,3} {2,}\d)/

interface Draft {
  status: number
  reason: string
  headers: Record<string, string>
  body: Array<string>
  verbose: boolean
  part: "headers" | "body"
  blankSeen: boolean
}

/** A redirect, an interim answer or a tunnel: another response follows it. */
const isInterim = (draft: Draft): boolean =>
  draft.status < 200 || (draft.status >= 300 && draft.status < 400) || draft.body.every((line) => line === "")

const begin = (match: RegExpExecArray): Draft => ({
  status: Number(match[2]),
  reason: (match[3] ?? "").trim(),
  headers: {},
  body: [],
  verbose: match[1] !== undefined,
  part: "headers",
  blankSeen: false
})

const takeHeader = (draft: Draft, line: string): boolean => {
  const match = headerLine.exec(line)
  if (match === null) return false
  const name = (match[1] ?? "").toLowerCase()
  const before = Object.hasOwn(draft.headers, name) ? `${draft.headers[name]}, ` : ""
  Object.defineProperty(draft.headers, name, {
    value: before + (match[2] ?? "").trim(),
    enumerable: true,
    configurable: true,
    writable: true
  })
  return true
}

/** The status that a body without a status line speaks of itself. */
const statusOfBody = (body: string): number | undefined => {
  const page = /<(?:title|h1)>\s*(?:Error )?([45]\d\d)\b/i.exec(body)
  if (page !== null) return Number(page[1])
  if (!body.startsWith("{")) return undefined
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return undefined
  }
  const status = property(json, "status") ?? property(json, "statusCode")
  if (typeof status === "number" && status >= 400 && status < 600) return status
  switch (property(json, "detail")) {
    case "Not Found":
      return 404
    case "Method Not Allowed":
      return 405
  }
  const first = property(property(json, "detail"), "0")
  return property(first, "loc") === undefined ? undefined : 422
}

export const parse = (input: string): CurlOutput => {
  const lines = (input.length > limit ? input.slice(0, limit) : input).split(/\r?\n/)
  const log: Array<string> = []
  const loose: Array<string> = []
  let exitCode: number | undefined
  let error: string | undefined
  let draft: Draft | undefined
  let connected = false
  for (const line of lines) {
    const failure = errorLine.exec(line)
    if (failure !== null) {
      exitCode = Number(failure[1])
      error = failure[2]
      continue
    }
    if (logLine.test(line)) {
      log.push(line)
      continue
    }
    if (/^\* .*(?:Connected to|Established connection to) /.test(line)) connected = true
    const status = statusLine.exec(line)
    if (status !== null && (draft === undefined || status[1] !== undefined || isInterim(draft))) {
      // `-v -i` prints each head twice; the second copy is the same response.
      const repeated = draft !== undefined && draft.verbose && status[1] === undefined &&
        draft.status === Number(status[2])
      draft = repeated && draft !== undefined ? { ...draft, verbose: false, part: "headers", body: [] } : begin(status)
      continue
    }
    if (noise.test(line)) continue
    if (draft === undefined) {
      loose.push(line)
      continue
    }
    if (draft.part === "headers") {
      const text = draft.verbose ? line.replace(/^< ?/, "") : line
      if (text.trim() === "") {
        draft.part = "body"
        draft.blankSeen = true
      } else if (!takeHeader(draft, text)) {
        draft.part = "body"
        draft.body.push(line)
      }
      continue
    }
    draft.body.push(line)
  }
  return { exitCode, error, response: finish(draft, loose, error), connected, log: log.join("\n") }
}

const finish = (
  draft: Draft | undefined,
  loose: ReadonlyArray<string>,
  error: string | undefined
): CurlResponse | undefined => {
  if (draft !== undefined) {
    const body = draft.body.join("\n").trim()
    const seen = body !== "" || (draft.blankSeen && Object.keys(draft.headers).length > 0)
    return { status: draft.status, reason: draft.reason, headers: draft.headers, body: seen ? body : undefined }
  }
  // `curl --fail` hides the answer and keeps its number.
  const failed = /returned error: (\d{3})/.exec(error ?? "")
  if (failed !== null) return { status: Number(failed[1]), reason: "", headers: {}, body: undefined }
  if (error !== undefined) return undefined
  const body = loose.join("\n").trim()
  const status = statusOfBody(body)
  return status === undefined ? undefined : { status, reason: "", headers: {}, body }
}
