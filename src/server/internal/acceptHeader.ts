/**
 * The request headers that say what a client would take: `Accept`, `Accept-Charset`, `Accept-Encoding`,
 * `Accept-Language` (RFC 9110 12.5). Effect parses none of them in public.
 */

export interface Member {
  /** In lower case. */
  readonly value: string
  readonly quality: number
  /** What stands before `q`, names in lower case, values without their quotes. */
  readonly parameters: ReadonlyArray<readonly [name: string, value: string]>
}

const valuePattern = /^[\w!#$%&'*+.^`|~-]+(?:\/[\w!#$%&'*+.^`|~-]+)?$/
/** Wider than the RFC's, which wants a digit before the point: clients do send `.2`. */
const qualityPattern = /^(?:0?\.\d{1,9}|0\.?|1(?:\.0{0,9})?)$/

/** The members that can be read, as they stand. One that cannot is as good as not sent. */
export const parse = (header: string): ReadonlyArray<Member> => {
  const members: Array<Member> = []
  for (const text of split(header, ",")) {
    const member = parseMember(text)
    if (member !== undefined) members.push(member)
  }
  return members
}

/** The parts between separators, but for those within quotes. */
const split = (text: string, separator: "," | ";"): ReadonlyArray<string> => {
  if (!text.includes("\"")) return text.split(separator)
  const parts: Array<string> = []
  let start = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (character === "\"") quoted = !quoted
    else if (character === "\\" && quoted) index++
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

const parseMember = (text: string): Member | undefined => {
  const [first = "", ...rest] = split(text, ";")
  const value = first.trim().toLowerCase()
  if (!valuePattern.test(value)) return undefined
  const parameters: Array<readonly [string, string]> = []
  for (const part of rest) {
    const equals = part.indexOf("=")
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase()
    const written = equals < 0 ? "" : part.slice(equals + 1).trim()
    if (name === "q") {
      return qualityPattern.test(written) ? { value, quality: Number(written), parameters } : undefined
    }
    if (name !== "") parameters.push([name, unquoted(written)])
  }
  return { value, quality: 1, parameters }
}

/** The parameters of a media type, names in lower case, values without their quotes. */
export const parameters = (type: string): ReadonlyArray<readonly [name: string, value: string]> =>
  split(type, ";").slice(1).flatMap((part) => {
    const equals = part.indexOf("=")
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase()
    return name === "" ? [] : [[name, equals < 0 ? "" : unquoted(part.slice(equals + 1).trim())]]
  })

const unquoted = (text: string): string =>
  text.length > 1 && text.startsWith("\"") && text.endsWith("\"")
    ? text.slice(1, -1).replace(/\\(.)/g, "$1")
    : text

/** The media ranges of an `Accept`. Some clients write `*` for all of them. */
export const parseMediaRanges = (accept: string): ReadonlyArray<Member> =>
  parse(accept).flatMap((member) =>
    member.value === "*" ? [{ ...member, value: "*/*" }] : member.value.includes("/") ? [member] : []
  )

/** A media type that is offered. */
export interface MediaType {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
}

export const mediaType = (text: string): MediaType | undefined => {
  const member = parseMember(text)
  return member === undefined || !member.value.includes("/")
    ? undefined
    : { type: member.value, parameters: new Map(member.parameters) }
}

/** What the client makes of a media type: the most exact of its ranges decides (RFC 9110 12.5.1). */
export const mediaTypeQuality = (accepted: ReadonlyArray<Member>, offer: MediaType): number => {
  let quality = 0
  let best = -1
  for (const range of accepted) {
    const exactness = mediaRangeExactness(range, offer)
    if (exactness > best) {
      best = exactness
      quality = range.quality
    }
  }
  return quality
}

const mediaRangeExactness = (range: Member, offer: MediaType): number => {
  if (offer.type === "*/*") return range.quality > 0 ? 0 : -1
  if (range.value === "*/*") return 0
  if (range.value.endsWith("/*")) return offer.type.startsWith(range.value.slice(0, -1)) ? 1 : -1
  if (range.value !== offer.type) return -1
  return range.parameters.every((parameter) => hasParameter(offer, parameter)) ? 2 + range.parameters.length : -1
}

/** What says nothing of its charset is in UTF-8, as everything here is. */
const hasParameter = (offer: MediaType, [name, value]: readonly [string, string]): boolean => {
  const own = offer.parameters.get(name) ?? (name === "charset" ? "utf-8" : undefined)
  return own?.toLowerCase() === value.toLowerCase()
}

/** What the client makes of a charset or a content coding; `undefined` where it says nothing of it. */
export const tokenQuality = (accepted: ReadonlyArray<Member>, token: string): number | undefined =>
  (accepted.find((member) => member.value === token) ?? accepted.find((member) => member.value === "*"))?.quality

/**
 * What the client makes of a language. A range matches the tags that begin with it (RFC 4647 3.3.1), and a tag that is
 * the beginning of a range serves it as well (3.4), after all that match better.
 */
export const languageQuality = (accepted: ReadonlyArray<Member>, tag: string): number => {
  const wanted = tag.toLowerCase()
  let quality = 0
  let best = -1
  for (const { quality: given, value } of accepted) {
    const exactness = value === "*"
      ? 0
      : value === wanted || wanted.startsWith(`${value}-`)
      ? 1_000 + value.length
      : given > 0 && value.startsWith(`${wanted}-`)
      ? 1
      : -1
    if (exactness > best || (exactness === 1 && best === 1 && given > quality)) {
      best = exactness
      quality = given
    }
  }
  return quality
}
