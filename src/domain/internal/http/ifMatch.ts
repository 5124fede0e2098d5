/** No version is this one, so an ETag that is none of ours never matches (RFC 9110, 13.1.1). */
export const foreign = -1

/**
 * The version in an `If-Match` header: a strong ETag such as `"3"`, or one of its representations as the server names them,
 * such as `"3(text/csv)-gzip"`. `*` asks for none.
 */
export const expectedVersion = (ifMatch: string): number | "*" =>
  ifMatch === "*" ? "*" : Number(versionTag.exec(ifMatch)?.[1] ?? foreign)

const versionTag = /^"(0|[1-9]\d{0,14})(?:\([^()"]+\))?(?:-(?:br|zstd|gzip|deflate))?"$/
