/** Which route a host and a path belong to. */

export interface Rule {
  /** An exact name, `*.` and a name for everything below it, or absent for every host. */
  readonly host?: string | undefined
  readonly prefix: string
}

const hostRank = (rule: Rule, host: string): number => {
  if (rule.host === undefined) return 1
  const wanted = rule.host.toLowerCase()
  if (wanted.startsWith("*.")) return host.endsWith(wanted.slice(1)) && host.length > wanted.length - 1 ? 2 : 0
  return wanted === host ? 3 : 0
}

const under = (path: string, prefix: string): boolean => {
  const base = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix
  return path === base || path.startsWith(`${base}/`) || path.startsWith(`${base}?`)
}

/** The name in a `Host` header: without its port, in lower case. */
export const hostName = (authority: string): string => authority.replace(/:\d*$/, "").toLowerCase()

/** The most specific host first, then the longest prefix. */
export const match = <R extends Rule>(rules: ReadonlyArray<R>, authority: string, path: string): R | undefined => {
  const host = hostName(authority)
  let best: R | undefined
  let bestRank = 0
  for (const rule of rules) {
    const rank = under(path, rule.prefix) ? hostRank(rule, host) : 0
    if (rank === 0 || rank < bestRank) continue
    if (best === undefined || rank > bestRank || rule.prefix.length > best.prefix.length) {
      best = rule
      bestRank = rank
    }
  }
  return best
}

/** The path without its first part; never empty. */
export const strip = (path: string, part: string | undefined): string => {
  if (part === undefined || part === "/" || !under(path, part)) return path
  const rest = path.slice(part.endsWith("/") ? part.length - 1 : part.length)
  return rest.startsWith("/") ? rest : `/${rest}`
}

/**
 * Whether two servers could read a path differently: dot segments (also encoded), backslashes, control characters. A
 * client resolves dot segments before it sends them, so whoever sends one wants to leave the prefix it was routed by.
 */
export const isAmbiguous = (target: string): boolean => {
  const [path = ""] = target.split("?")
  // Everything but visible ASCII, which has no place in a target; a backslash is a slash to some.
  if (/[^!-~]|[\\#]/.test(target) || /%00/.test(path)) return true
  if (!path.includes(".") && !/%2e/i.test(path)) return false
  return path.replace(/%2e/gi, ".").split(/\/|%2f|%5c/i).some((segment) => segment === "." || segment === "..")
}
