/** What of a message's headers goes on to the next hop, and what this hop adds. */

/** Names in lower case; every value of a name that came several times. */
export type HeaderMap = Map<string, Array<string>>

export type Outgoing = Record<string, string | Array<string>>

const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings"
])

/** What only our own hops may say: dropped from everybody else, and written anew where we know it. */
const ofTrustedHops: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-server",
  "x-real-ip",
  "x-original-url",
  "x-rewrite-url",
  "x-service-name",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags"
])

/** The addresses of an `X-Forwarded-For`, without what cannot be one. */
const hopsOf = (header: string | undefined): ReadonlyArray<string> =>
  header === undefined ?
    [] :
    header.split(",").map((hop) => hop.trim().replace(/^::ffff:(?=.*\.)/i, "")).filter((hop) =>
      /^[\w.:[\]%-]{2,64}$/.test(hop)
    )

/** Read into the request's own deadline, id, priority and trace, and written again from there. */
const carried: ReadonlySet<string> = new Set([
  "x-request-id",
  "x-kong-request-id",
  "x-request-timeout",
  "x-request-priority",
  "x-request-attempt",
  "traceparent",
  "tracestate"
])

/** Names that frame or address a message cannot be taken away by naming them in `Connection`. */
const unremovable: ReadonlySet<string> = new Set(["host", "content-length", "content-type", "authorization", "cookie"])

export const read = (raw: ReadonlyArray<string>): HeaderMap => {
  const map: HeaderMap = new Map()
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase()
    if (name.startsWith(":")) continue
    const values = map.get(name)
    const value = raw[index + 1] ?? ""
    if (values === undefined) map.set(name, [value])
    else values.push(value)
  }
  return map
}

/** How large the headers of a request over HTTP/2 are: each counts with 32 more (RFC 9113 6.5.2). */
export const listBytes = (raw: ReadonlyArray<string>): number => {
  let bytes = raw.length * 16
  for (const text of raw) bytes += text.length
  return bytes
}

const tokens = (values: ReadonlyArray<string> | undefined): Array<string> =>
  values === undefined
    ? []
    : values.join(",").split(",").map((token) => token.trim().toLowerCase()).filter((t) => t !== "")

/** Whether the client reads trailers. */
export const wantsTrailers = (map: HeaderMap): boolean => tokens(map.get("te")).includes("trailers")

const none: ReadonlySet<string> = new Set()

/** What `Connection` names, beside what is removed anyway. */
const named = (map: HeaderMap): ReadonlySet<string> => {
  const values = map.get("connection")
  const [only = ""] = values ?? []
  if (values === undefined || (values.length === 1 && /^(?:keep-alive|close)$/i.test(only))) return none
  return new Set(tokens(values).filter((name) => !unremovable.has(name)))
}

/** A test for names that are exact, or end with `*`. A server may read `_` as `-`, so both are one here. */
export const matcher = (patterns: ReadonlyArray<string>): (name: string) => boolean => {
  const same = (name: string) => name.toLowerCase().replaceAll("_", "-")
  const exact = new Set<string>()
  const starts: Array<string> = []
  for (const pattern of patterns.map(same)) {
    if (pattern.endsWith("*")) starts.push(pattern.slice(0, -1))
    else exact.add(pattern)
  }
  if (exact.size === 0 && starts.length === 0) return () => false
  return (name) => {
    const plain = same(name)
    return exact.has(plain) || starts.some((start) => plain.startsWith(start))
  }
}

const put = (out: Outgoing, name: string, values: ReadonlyArray<string>): void => {
  const [only] = values
  out[name] = values.length === 1 && only !== undefined ? only : [...values]
}

/** Names and values in turn. */
export const flat = (headers: Readonly<Record<string, string | ReadonlyArray<string>>>): Array<string> => {
  const list: Array<string> = []
  for (const name of Object.keys(headers)) {
    const value = headers[name] ?? ""
    if (typeof value === "string") list.push(name, value)
    else for (const one of value) list.push(name, one)
  }
  return list
}

const append = (values: ReadonlyArray<string> | undefined, value: string): string => [...values ?? [], value].join(", ")

export interface RequestOptions {
  /** The name of this gateway in `Via`. */
  readonly via: string
  readonly httpVersion: string
  /** Empty where the request names no host. */
  readonly authority: string
  readonly secure: boolean
  readonly peer: string
  readonly client: string
  /** The peer is one of our own hops. */
  readonly trusted: boolean
  readonly stripped: string | undefined
  readonly internal: (name: string) => boolean
  /** The cookie that only this gateway reads. */
  readonly cookie: string | undefined
  readonly upgrade: string | undefined
}

/** The headers for the upstream, without those that `Propagation.inject` writes. */
export const requestHeaders = (map: HeaderMap, options: RequestOptions): Outgoing => {
  const out: Outgoing = {}
  const removed = named(map)
  for (const [name, values] of map) {
    if (hopByHop.has(name) || removed.has(name) || carried.has(name) || options.internal(name)) continue
    if (name === "expect" || name === "host" || name === "via") continue
    const plain = name.includes("_") ? name.replaceAll("_", "-") : name
    if (plain !== name && (carried.has(plain) || ofTrustedHops.has(plain))) continue
    if (!options.trusted && ofTrustedHops.has(name)) continue
    if (name === "cookie" && options.cookie !== undefined) {
      const kept = withoutCookie(values.join("; "), options.cookie)
      if (kept !== "") out[name] = kept
      continue
    }
    put(out, name, name === "cookie" ? [values.join("; ")] : values)
  }
  if (options.authority !== "") out["host"] = options.authority
  out["via"] = append(map.get("via"), `${options.httpVersion} ${options.via}`)
  const before = options.trusted ? hopsOf(map.get("x-forwarded-for")?.join(",")) : []
  out["x-forwarded-for"] = [...before, options.peer].join(", ")
  out["x-real-ip"] = options.client
  out["x-forwarded-proto"] ??= options.secure ? "https" : "http"
  if (options.authority !== "") out["x-forwarded-host"] ??= options.authority
  if (options.stripped !== undefined) out["x-forwarded-prefix"] ??= options.stripped
  if (options.upgrade !== undefined) {
    out["connection"] = "upgrade"
    out["upgrade"] = options.upgrade
  }
  return out
}

/** How many more hops a request may make; `NaN` where what it says of them is not a number. */
export const maxForwards = (map: HeaderMap): number | undefined => {
  const values = map.get("max-forwards")
  const [only = ""] = values ?? []
  if (values === undefined) return undefined
  return values.length === 1 && /^\d+$/.test(only) ? Number(only) : Number.NaN
}

/** One hop less, and at most what we can count (RFC 9110 7.6.2). */
export const countForward = (out: Outgoing): void => {
  if (out["max-forwards"] === undefined) return
  out["max-forwards"] = String(Math.min(Number(out["max-forwards"]) - 1, Number.MAX_SAFE_INTEGER))
}

export interface ResponseOptions {
  readonly via: string
  readonly httpVersion: string
  readonly requestId: string
  readonly internal: (name: string) => boolean
  readonly stripped: string | undefined
  /** The origin of the target, whose name no client can use. */
  readonly origin: string
  readonly setCookie: string | undefined
}

export const responseHeaders = (map: HeaderMap, options: ResponseOptions): Outgoing => {
  const out: Outgoing = {}
  const removed = named(map)
  for (const [name, values] of map) {
    if (hopByHop.has(name) || removed.has(name) || name === "via" || options.internal(name)) continue
    put(
      out,
      name,
      name === "location" || name === "content-location"
        ? values.map((value) => outside(value, options))
        : values
    )
  }
  out["via"] = append(map.get("via"), `${options.httpVersion} ${options.via}`)
  out["x-request-id"] = options.requestId
  if (options.setCookie !== undefined) put(out, "set-cookie", [...map.get("set-cookie") ?? [], options.setCookie])
  return out
}

/** A reference into the target, as the client sees it: not the target's own name, and with the prefix that was stripped. */
const outside = (value: string, { origin, stripped }: ResponseOptions): string => {
  const local = value === origin ? "/" : value.startsWith(`${origin}/`) ? value.slice(origin.length) : value
  if (stripped === undefined || !local.startsWith("/") || local.startsWith("//")) return local
  return local === stripped || local.startsWith(`${stripped}/`) ? local : `${stripped}${local}`
}

/** Fields that may not come after the body, since they frame, route or guard the message (RFC 9110 6.5.1). */
const notInTrailers =
  /^(?:content-(?:length|encoding|type|range)|host|authorization|set-cookie|cache-control|max-forwards|te|expires|location|age|vary|connection|transfer-encoding|trailer|via|x-request-id)$/

export const trailers = (raw: ReadonlyArray<string>, internal: (name: string) => boolean): Record<string, string> => {
  const out: Record<string, string> = {}
  for (const [name, values] of read(raw)) {
    if (!notInTrailers.test(name) && !hopByHop.has(name) && !internal(name)) out[name] = values.join(", ")
  }
  return out
}

export const cookieOf = (header: string | undefined, name: string): string | undefined => {
  for (const part of header?.split(";") ?? []) {
    const equals = part.indexOf("=")
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim()
  }
  return undefined
}

const withoutCookie = (header: string, name: string): string =>
  header.split(";").map((part) => part.trim()).filter((part) => !part.startsWith(`${name}=`) && part !== "").join("; ")

/** How often this gateway stands in `Via`: a request that comes round and round is a loop. */
export const passages = (map: HeaderMap, via: string): number =>
  tokens(map.get("via")).filter((hop) => hop.split(/\s+/)[1] === via.toLowerCase()).length
