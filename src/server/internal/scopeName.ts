/** What can be the name of a scope (RFC 6749 3.3). */
export const isScope = (text: string): boolean => /^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(text)
