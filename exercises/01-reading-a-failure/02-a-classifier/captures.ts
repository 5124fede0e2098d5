/** The twelve kinds of captures, as functions of what differs from one day to the next. */
import type { Stage } from "effect-lifecycle/lifecycle"

/** What is left of a failed request. */
export interface Capture {
  /** What the client said when no answer came. */
  readonly error?: string | undefined
  readonly status?: number | undefined
  /** Names in any casing. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
}

/** The layer that spoke, or where the road ended; `unknown` where the capture does not say. */
export type Layer = Stage.StageName | "unknown"

/** What differs between two captures of one kind. */
export interface Detail {
  readonly host: string
  readonly id: string
  readonly casing: (header: string) => string
}

/** A capture with the right answer. */
export interface Example {
  readonly kind: Kind
  readonly capture: Capture
  readonly layer: Layer
}

const page = (status: string, footer: string): string =>
  `<html>\r\n<head><title>${status}</title></head>\r\n<body>\r\n<center><h1>${status}</h1></center>\r\n${footer}</body>\r\n</html>\r\n`

const headers = (detail: Detail, values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [detail.casing(name), value]))

const nginx = (detail: Detail, status: number, title: string): Capture => ({
  status,
  headers: headers(detail, { "content-type": "text/html", server: "nginx" }),
  body: page(`${status} ${title}`, "<hr><center>nginx</center>\r\n")
})

const problem = (detail: Detail, status: number, stage: string, more: Readonly<Record<string, string>>): Capture => ({
  status,
  headers: headers(detail, { "content-type": "application/problem+json", server: "nginx", "x-request-id": detail.id }),
  body: JSON.stringify({ type: `https://${detail.host}/problems`, status, stage, requestId: detail.id, ...more })
})

const kinds = {
  "name not resolved": ["Dns", ({ host }) => ({ error: `curl: (6) Could not resolve host: ${host}` })],
  "connection refused": ["Connect", ({ host }) => ({
    error: `curl: (7) Failed to connect to ${host} port 443 after 3 ms: Connection refused`
  })],
  "certificate expired": ["Tls", () => ({ error: "curl: (60) SSL certificate problem: certificate has expired" })],
  "silence": [
    "unknown",
    () => ({ error: "curl: (28) Operation timed out after 5001 milliseconds with 0 bytes received" })
  ],
  "404 of the proxy": ["Proxy", (detail) => nginx(detail, 404, "Not Found")],
  "404 of the router": [
    "Router",
    (detail) => problem(detail, 404, "Router", { detail: `no route for /orderz/${detail.id}` })
  ],
  "408 of the server": ["Server", (detail) => ({ status: 408, headers: headers(detail, { connection: "close" }) })],
  "499 in the proxy's log": [
    "Response",
    (detail) => ({ status: 499, headers: headers(detail, { server: "nginx" }), body: "" })
  ],
  "503 of the balancer": ["Balancer", (detail) => ({
    status: 503,
    headers: headers(detail, { server: "awselb/2.0", "content-type": "text/html" }),
    body: page("503 Service Temporarily Unavailable", "")
  })],
  "503 of a middleware": [
    "Middleware",
    (detail) => problem(detail, 503, "Middleware", { detail: "too many requests wait" })
  ],
  "500 of the proxy": ["Proxy", (detail) => nginx(detail, 500, "Internal Server Error")],
  "500 of the handler": ["Handler", (detail) => problem(detail, 500, "Handler", { detail: "something broke" })]
} satisfies Record<string, readonly [Layer, (detail: Detail) => Capture]>

/** The name of a kind of capture. */
export type Kind = keyof typeof kinds

/** A capture of a kind. */
export const make = (kind: Kind, detail: Detail): Example => {
  const [layer, capture] = kinds[kind]
  return { kind, layer, capture: capture(detail) }
}

/** One capture of each kind. */
export const seen: ReadonlyArray<Example> = (Object.keys(kinds) as Array<Kind>).map((kind) =>
  make(kind, { host: "orders.shop.test", id: "1017", casing: (header) => header })
)
