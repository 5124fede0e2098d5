/** The grammar of `Server-Timing`: `metric *( "," metric )`, `metric = token *( ";" token "=" ( token / quoted-string ) )`. */
import { StageName } from "../Stage.ts"

interface Entry {
  readonly stage: StageName
  readonly name?: string | undefined
  readonly startMillis: number
  readonly durationMillis: number
}

/** A header longer than this is not ours, and reading it would be work that a stranger chose. */
const maxLength = 16_384

const stages: ReadonlySet<string> = new Set(StageName.literals)
const isStage = (name: string): name is StageName => stages.has(name)

/** At most three decimals (a microsecond), never an exponent. */
const millis = (value: number): string => {
  const text = Math.min(Math.max(0, value), 1e12).toFixed(3)
  return text.replace(/\.?0+$/, "")
}

const quoted = (text: string): string =>
  `"${text.replace(/[^\x20-\x7e]/gu, "?").replace(/[\\"]/g, (character) => `\\${character}`)}"`

export const encode = (entries: ReadonlyArray<Entry>, zero: number, starts: boolean): string =>
  entries.map((entry) =>
    `${entry.stage};dur=${millis(entry.durationMillis)}` +
    (entry.name === undefined ? "" : `;desc=${quoted(entry.name)}`) +
    (starts ? `;start=${millis(entry.startMillis - zero)}` : "")
  ).join(", ")

/** Splits at `separator` outside quoted strings. */
const split = (text: string, separator: string): Array<string> => {
  const parts: Array<string> = []
  let from = 0
  let inQuotes = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (inQuotes && character === "\\") i++
    else if (character === "\"") inQuotes = !inQuotes
    else if (character === separator && !inQuotes) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  parts.push(text.slice(from))
  return parts
}

const unquoted = (value: string): string => {
  if (!value.startsWith("\"")) return value
  const end = value.length > 1 && value.endsWith("\"") ? -1 : undefined
  return value.slice(1, end).replace(/\\(.)/g, "$1")
}

const time = (value: string | undefined): number | undefined =>
  value !== undefined && /^\d{1,13}(?:\.\d{1,9})?$/.test(value) ? Number(value) : undefined

export const decode = (header: string): Array<Entry> => {
  const entries: Array<Entry> = []
  if (header.length > maxLength) return entries
  let behind = 0
  for (const metric of split(header, ",")) {
    const [token = "", ...rest] = split(metric, ";")
    const stage = token.trim()
    if (!isStage(stage)) continue
    const params = new Map<string, string>()
    for (const param of rest) {
      const equals = param.indexOf("=")
      if (equals === -1) continue
      const key = param.slice(0, equals).trim().toLowerCase()
      if (!params.has(key)) params.set(key, unquoted(param.slice(equals + 1).trim()))
    }
    const durationMillis = time(params.get("dur"))
    if (durationMillis === undefined) continue
    const startMillis = time(params.get("start")) ?? behind
    const name = params.get("desc")
    entries.push({ stage, ...(name === undefined ? {} : { name }), startMillis, durationMillis })
    behind = Math.max(behind, startMillis + durationMillis)
  }
  return entries
}
