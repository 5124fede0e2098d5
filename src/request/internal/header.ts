/**
 * Reading one header that may occur once only, with reasons that never quote the header's bytes.
 */
import { Result } from "effect"

export interface Input {
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

/** The longest value that any header of this room is read at all. */
const longest = 8192

/**
 * The value as one string, or why not. Absent and empty lists are `undefined`; a list of more than one is joined as HTTP
 * does it, so that the codec of a single-valued header refuses it for its comma.
 */
export const read = (headers: Input, name: string): Result.Result<string | undefined, string> => {
  const value = headers[name]
  if (value === undefined) return Result.succeed(undefined)
  const text = typeof value === "string" ? value : value.length === 0 ? undefined : value.join(", ")
  if (text === undefined) return Result.succeed(undefined)
  if (text.length > longest) return Result.fail("too long")
  if (hasControl(text)) return Result.fail("control character")
  return Result.succeed(text.trim())
}

/** Why a single-valued header with an unusable shape is refused, or `undefined` when its shape is fine. */
export const refuse = (text: string, maximumLength: number): string | undefined => {
  if (text === "") return "empty"
  if (text.length > maximumLength) return "too long"
  if (hasControl(text)) return "control character"
  if (text.includes(",")) return "more than one value"
  return undefined
}

const hasControl = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true
  }
  return false
}
