/** No version is this one, so an ETag that is none of ours never matches (RFC 9110, 13.1.1). */
export const foreign = -1

/** The version in an `If-Match` header: one strong ETag such as `"3"`. `*` asks for none. */
export const expectedVersion = (ifMatch: string): number | "*" =>
  ifMatch === "*" ? "*" : Number(/^"(0|[1-9]\d{0,14})"$/.exec(ifMatch)?.[1] ?? foreign)
