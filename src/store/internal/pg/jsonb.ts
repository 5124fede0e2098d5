/**
 * JSON as `jsonb` takes it. `jsonb` refuses NUL and half a surrogate pair inside strings, both of which clients can send;
 * they are stored as U+E000 and four hex digits, and so is U+E000 itself, so that every string comes back as it was.
 */

/** What has to be escaped, in JSON text: there `JSON.stringify` writes NUL and lone surrogates as escapes. */
const suspicious = /\\u(?:0000|d[89a-f])|\uE000/

const mark = "\uE000"

const escapeText = (text: string): string => {
  let escaped = ""
  for (const character of text) {
    escaped += character === "\0" || character === mark || !character.isWellFormed()
      ? mark + character.charCodeAt(0).toString(16).padStart(4, "0")
      : character
  }
  return escaped
}

const restoreText = (text: string): string =>
  text.replace(/\uE000([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

const mapText = (value: unknown, f: (text: string) => string): unknown => {
  if (typeof value === "string") return f(value)
  if (Array.isArray(value)) return value.map((element) => mapText(element, f))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [f(key), mapText(inner, f)]))
}

export const stringify = (value: unknown): string => {
  const text = JSON.stringify(value)
  return suspicious.test(text) ? JSON.stringify(mapText(value, escapeText)) : text
}

/** The JSON text that was given to {@link stringify}, as a value. */
export const restore = (text: string): string =>
  text.includes(mark) ? JSON.stringify(mapText(JSON.parse(text), restoreText)) : text
