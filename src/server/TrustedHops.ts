/**
 * Whose headers are believed: request ids, deadlines, priorities and trace parents from a peer outside this circle are
 * treated as absent, and only peers inside it see `Server-Timing`.
 *
 * The decision is made from the address of the socket's other end, never from a header. {@link clientAddress} then follows
 * `X-Forwarded-For` back through such peers to the client.
 *
 * **Gotchas**
 *
 * - The default believes loopback and private addresses, where proxies and sibling services live. A server that takes
 *   connections from the internet sees public addresses and so believes nobody; a server behind a proxy believes what the
 *   proxy passes on, so let the proxy replace these headers.
 * - A unix socket has no address. It counts as loopback: only this machine can open it.
 *
 * @example
 * ```ts
 * import { TrustedHops } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const trusts = TrustedHops.make("private")
 * assert.ok(trusts("127.0.0.1") && trusts("10.1.2.3") && trusts("::ffff:192.168.0.7"))
 * assert.ok(!trusts("203.0.113.9"))
 * ```
 *
 * @since 0.1.0
 */
import { InvalidOption } from "../resilience/InvalidOption.ts"

/**
 * Everybody, nobody, this machine, this machine and private networks (the default), or a test of the address.
 *
 * @category models
 * @since 0.1.0
 */
export type Trust = "all" | "none" | "loopback" | "private" | ((address: string | undefined) => boolean)

/**
 * The test that a {@link Trust} stands for.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (trust: Trust): (address: string | undefined) => boolean => {
  switch (trust) {
    case "all":
      return () => true
    case "none":
      return () => false
    case "loopback":
      return isLoopback
    case "private":
      return (address) => isLoopback(address) || isPrivate(address)
    default:
      if (typeof trust === "function") return trust
      throw new InvalidOption({
        module: "TrustedHops.make",
        option: "trust",
        value: JSON.stringify(trust) ?? String(trust),
        allowed: "\"all\", \"none\", \"loopback\", \"private\" or a test of the address"
      })
  }
}

/**
 * Whether an address can only be this machine. `undefined` is a unix socket.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isLoopback = (address: string | undefined): boolean => {
  if (address === undefined) return true
  const plain = unmapped(address)
  return plain.startsWith("127.") || plain === "::1"
}

/**
 * Whether an address belongs to a private or link-local network (RFC 1918, RFC 4193, RFC 3927).
 *
 * @category predicates
 * @since 0.1.0
 */
export const isPrivate = (address: string | undefined): boolean => {
  if (address === undefined) return false
  const plain = unmapped(address)
  return plain.includes(":")
    ? /^(f[cd]|fe[89ab])/i.test(plain)
    : /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(plain)
}

/**
 * Who the client is, as far as the hops before us may say so: the nearest address of an `X-Forwarded-For` that is not one of
 * our own. Only a trusted peer's header is read, and only from its right end: the left end is whatever the client wrote.
 *
 * @category getters
 * @since 0.1.0
 */
export const clientAddress = (
  peer: string | undefined,
  forwardedFor: string | undefined,
  trusts: (address: string | undefined) => boolean
): string => {
  const own = peer === undefined ? "127.0.0.1" : unmapped(peer)
  if (forwardedFor === undefined || !trusts(peer)) return own
  let client = own
  let end = forwardedFor.length
  while (end > 0) {
    const comma = forwardedFor.lastIndexOf(",", end - 1)
    const hop = hopOf(forwardedFor.slice(comma + 1, end))
    end = comma
    if (hop === undefined) continue
    client = hop
    if (!trusts(hop)) break
  }
  return client
}

/**
 * What a limit by address counts by: an IPv4 address, or the /64 network that one customer of IPv6 has.
 *
 * @category getters
 * @since 0.1.0
 */
export const networkOf = (address: string): string => {
  const plain = unmapped(address)
  if (!plain.includes(":")) return plain
  const [head = "", tail] = plain.split("%", 1)[0]?.split("::") ?? []
  const left = head === "" ? [] : head.split(":")
  const right = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array.from({ length: zeros }, () => "0"), ...right].slice(0, 4)
  return `${groups.map((group) => (Number.parseInt(group, 16) || 0).toString(16)).join(":")}::/64`
}

/** One entry of the header: an address, which some proxies write with its port. */
const hopOf = (entry: string): string | undefined => {
  const text = entry.trim()
  const plain = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([^:]*):\d{1,5}$/.exec(text)?.[1] ?? text
  return /^[\w.:%-]{2,64}$/.test(plain) ? unmapped(plain) : undefined
}

const unmapped = (address: string): string =>
  address.length > 7 && address.slice(0, 7).toLowerCase() === "::ffff:" && address.includes(".")
    ? address.slice(7)
    : address
