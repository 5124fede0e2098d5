/** What a label says when there are more values than a metric can carry. */
export const other = "_OTHER"

/** Lets the first `maximum` values through and calls the rest `_OTHER`: a mistake in a caller costs detail, not memory. */
export const bounded = (maximum: number): (value: string) => string => {
  const known = new Set<string>()
  return (value) => {
    if (known.has(value)) return value
    if (known.size >= maximum) return other
    known.add(value)
    return value
  }
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"])

export const methodLabel = (method: string): string => methods.has(method) ? method : other
