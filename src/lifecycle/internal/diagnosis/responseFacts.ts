/** What a response says about itself, read once so that every rule can ask. */

export interface ResponseInput {
  readonly status: unknown
  readonly headers: unknown
  readonly body?: unknown
  readonly reason?: unknown
  readonly log?: unknown
}

export interface ResponseFacts {
  readonly status: number
  /** The words beside the status, in lower case, where they were captured. */
  readonly reason: string
  /** A header's value, in lower case; `""` where it is absent. */
  readonly header: (name: string) => string
  readonly has: (name: string) => boolean
  readonly headerCount: number
  /** `unknown`: neither body nor media type was captured. */
  readonly format: "html" | "problem" | "json" | "text" | "empty" | "unknown"
  /** The body in lower case. */
  readonly text: string
  readonly json: unknown
  readonly bodySeen: boolean
  /** Lines of a log that came with the response, in lower case. */
  readonly log: string
}

/** Nothing beyond this tells one stage from another, and patterns stay cheap. */
const limit = 65_536

const clip = (text: unknown): string => typeof text === "string" ? text.slice(0, limit) : ""

/** A property of a value nobody knows; an accessor that throws counts as absent. */
export const property = (value: unknown, key: PropertyKey): unknown => {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined
  try {
    return (value as Record<PropertyKey, unknown>)[key]
  } catch {
    return undefined
  }
}

/** The items of a list nobody knows; anything else is empty. */
export const items = (value: unknown, maximum: number): ReadonlyArray<unknown> => {
  try {
    return Array.isArray(value) ? value.slice(0, maximum) : []
  } catch {
    return []
  }
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === "object" && value !== null && typeof property(value, Symbol.iterator) === "function"

/** Header names in lower case, from a record, a `Headers` or pairs. */
const headersOf = (input: unknown): ReadonlyMap<string, string> => {
  const headers = new Map<string, string>()
  try {
    const entries = isIterable(input) ? input : Object.entries(input ?? {})
    for (const entry of entries) {
      if (!Array.isArray(entry) || typeof entry[0] !== "string") continue
      const value: unknown = entry[1]
      const text = Array.isArray(value) ? value.join(", ") : typeof value === "string" ? value : undefined
      if (text !== undefined) headers.set(entry[0].toLowerCase(), clip(text).trim().toLowerCase())
    }
  } catch {
    return headers
  }
  return headers
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const stringify = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? ""
  } catch {
    return ""
  }
}

/** The body as text and as JSON, whether it came as one or the other. */
const bodyOf = (body: unknown): { readonly raw: string; readonly json: unknown; readonly seen: boolean } => {
  if (body === undefined || body === null) return { raw: "", json: undefined, seen: false }
  if (typeof body === "string") {
    const raw = clip(body.trim())
    return { raw, json: /^[[{]/.test(raw) ? parse(raw) : undefined, seen: true }
  }
  // A copy through text: what an object's accessors or proxies do cannot reach the rules.
  const raw = clip(stringify(body))
  return { raw, json: parse(raw), seen: true }
}

const formatOf = (type: string, raw: string, json: unknown, seen: boolean, length: string): ResponseFacts["format"] => {
  if (raw !== "") {
    // The bytes are believed before the header: gateways are known to keep the wrong media type.
    if (/^<(?:!doctype|html|head|body|center|title|h1|pre)/i.test(raw)) return "html"
    if (/^[[{]/.test(raw) && (json !== undefined || type.includes("json"))) {
      const looksLikeProblem = typeof property(json, "title") === "string" &&
        (typeof property(json, "type") === "string" || typeof property(json, "status") === "number")
      return type.includes("problem+json") || looksLikeProblem ? "problem" : "json"
    }
    return "text"
  }
  if (seen || length === "0") return "empty"
  if (type.includes("problem+json")) return "problem"
  if (type.includes("json")) return "json"
  if (type.includes("html")) return "html"
  return type.startsWith("text/") ? "text" : "unknown"
}

export const responseFacts = (input: ResponseInput): ResponseFacts => {
  const headers = headersOf(input.headers)
  const { json, raw, seen } = bodyOf(input.body)
  const header = (name: string): string => headers.get(name) ?? ""
  return {
    status: typeof input.status === "number" ? input.status : 0,
    reason: clip(input.reason).trim().toLowerCase(),
    header,
    has: (name) => headers.has(name),
    headerCount: headers.size,
    format: formatOf(header("content-type"), raw, json, seen, header("content-length")),
    text: raw.toLowerCase(),
    json,
    bodySeen: seen,
    log: clip(input.log).toLowerCase()
  }
}
