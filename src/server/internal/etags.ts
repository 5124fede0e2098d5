/**
 * ETags of versions. A version has a name, and each of its representations one that says what it is: `"7"`,
 * `"7(text/csv:de)"`, `"7(de)-gzip"`. What was negotiated stands in parentheses, which no coding, language or unquoted media
 * type can hold: `"7-br"` is packed, and `"7(br)"` is Breton.
 */

export const ofVersion = (version: number | bigint): string => `"${version}"`

/** Whether it names a version and nothing else, and so says nothing of the representation. */
export const isBare = (etag: string): boolean => bareTag.test(etag)

const bareTag = /^(?:W\/)?"(?:0|[1-9]\d{0,14})"$/

/** How an ETag names a representation that is not the first of what is offered. */
export const variant = (type: string | undefined, language: string | undefined): string => {
  const name = type?.replace(/[^\w!#$&'*+.^`|~/;=-]/gu, (found) => `%${found.codePointAt(0)?.toString(16)}`)
  return `(${[name, language].filter((part) => part !== undefined).join(":")})`
}

/** The ETag with something at its end. What is no ETag stays as it is. */
export const marked = (etag: string, mark: string): string =>
  etag.endsWith("\"") ? `${etag.slice(0, -1)}${mark}"` : etag

/** The version that a strong ETag of ours names, whatever representation of it. */
export const versionOf = (etag: string): string | undefined => versionTag.exec(etag)?.[1]

const versionTag = /^"(0|[1-9]\d{0,14})(?:\([^()"]+\))?(?:-(?:br|zstd|gzip|deflate))?"$/

/** Whether it is one ETag or several with commas between them (RFC 9110, 5.6.1: an empty member counts for nothing). */
export const isList = (header: string): boolean => tagList.test(header)

const tagList =
  /^(?:[ \t]*,)*[ \t]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,(?:[ \t]*,)*[ \t]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*[ \t,]*$/

/** The members of a list. A comma may stand inside of an ETag. */
export const members = (list: string): ReadonlyArray<string> => list.match(/(?:W\/)?"[^"]*"/g) ?? []

/** What two ETags share that are the same to a weak comparison. */
export const opaque = (etag: string): string => etag.startsWith("W/") ? etag.slice(2) : etag

/** The versions that strong members of a list name, each once. */
export const versionsIn = (list: string): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const member of members(list)) {
    const version = versionOf(member)
    if (version !== undefined) found.add(version)
  }
  return found
}
