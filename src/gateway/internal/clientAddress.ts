/** Who the client is, as far as the hops before us may say so. */
import { isIPv6 } from "node:net"

export type Trusts = (address: string | undefined) => boolean

const plain = (address: string): string => {
  const text = address.trim()
  return text.toLowerCase().startsWith("::ffff:") && text.includes(".") ? text.slice(7) : text
}

/** The addresses of an `X-Forwarded-For`, without what cannot be one. */
export const hopsOf = (header: string | undefined): Array<string> =>
  header === undefined ? [] : header.split(",").map(plain).filter((hop) => /^[0-9A-Fa-f.:[\]%\w-]{2,64}$/.test(hop))

/**
 * The nearest address that is not one of our own hops. Only a trusted peer's header is read, and only from its right end:
 * the left end is whatever the client wrote.
 */
export const clientAddress = (peer: string | undefined, forwardedFor: string | undefined, trusts: Trusts): string => {
  const own = peer === undefined ? "127.0.0.1" : plain(peer)
  if (forwardedFor === undefined || !trusts(peer)) return own
  const hops = hopsOf(forwardedFor)
  for (let index = hops.length - 1; index >= 0; index--) {
    const hop = hops[index] ?? own
    if (index === 0 || !trusts(hop)) return hop
  }
  return own
}

/** What a limit counts by: an IPv4 address, or the /64 network that one IPv6 customer has. */
export const limitKey = (address: string): string => {
  if (!isIPv6(address)) return address
  const [head = "", tail] = address.split("%")[0]?.split("::") ?? []
  const left = head === "" ? [] : head.split(":")
  const right = tail === undefined || tail === "" ? [] : tail.split(":")
  const groups = tail === undefined
    ? left
    : [...left, ...Array.from({ length: 8 - left.length - right.length }, () => "0"), ...right]
  return `${groups.slice(0, 4).map((group) => Number.parseInt(group || "0", 16).toString(16)).join(":")}::/64`
}
