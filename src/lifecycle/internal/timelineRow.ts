import type { StageName } from "../Stage.ts"

interface Bar {
  readonly name?: string | undefined
  readonly startMillis: number
  readonly durationMillis: number
  readonly note?: string | undefined
}

/** What both drawings know of one stage. */
export interface Row {
  readonly number: number
  readonly stage: StageName
  readonly entries: ReadonlyArray<Bar>
  readonly busyMillis: number | undefined
  /** Why the stage is not on this road. */
  readonly absent: string | undefined
}

/** What both drawings know of one request. */
export interface Drawing {
  readonly start: number
  readonly total: number
  readonly waiting: { readonly startMillis: number; readonly durationMillis: number } | undefined
  readonly rows: ReadonlyArray<Row>
}

/** `Stage.owner` is a sentence; a column has room for a word or two. */
const owners: Readonly<Record<StageName, string>> = {
  Dns: "resolver",
  Connect: "network",
  Tls: "client and certificate",
  Send: "client",
  Balancer: "load balancer",
  Proxy: "reverse proxy",
  Accept: "operating system",
  Server: "http server",
  Middleware: "server",
  Security: "server",
  Router: "server",
  Dependencies: "server",
  Validation: "server",
  Handler: "application",
  Response: "server and network"
}

/** The modules that did the work, or the party that owns the stage. */
export const ownerOf = (row: Row): string => {
  const names = new Set<string>()
  for (const entry of row.entries) if (entry.name !== undefined) names.add(entry.name)
  return names.size === 0 ? owners[row.stage] : Array.from(names).join(", ")
}

export const millis = (value: number): string => value >= 1000 ? value.toFixed(0) : value.toFixed(3)

export const notes = (row: Row): string =>
  row.absent !== undefined
    ? `not on this road: ${row.absent}`
    : row.entries.length === 0
    ? "not measured"
    : row.entries.flatMap((entry) => entry.note === undefined ? [] : [entry.note]).join(", ")

export const summary = (drawing: Drawing): string => {
  const measured = drawing.rows.filter((row) => row.entries.length > 0).length
  return `total ${millis(drawing.total)} ms, ${measured} of ${drawing.rows.length} stages measured` +
    (drawing.waiting === undefined ? "" : `, ${millis(drawing.waiting.durationMillis)} ms waiting for the first byte`)
}
