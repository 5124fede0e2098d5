import { assert, describe, it } from "@effect/vitest"
import { TrustedHops } from "effect-lifecycle/server"

describe("TrustedHops", () => {
  const loopback = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", undefined]
  const internal = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.0.1", "fd00::1", "fe80::1"]
  const outside = ["8.8.8.8", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.1.1.1", "2001:db8::1", "::ffff:8.8.8.8"]

  it("believes this machine and private networks by the name of private", () => {
    const trusts = TrustedHops.make("private")
    for (const address of [...loopback, ...internal, "::FFFF:10.0.0.1"]) assert.isTrue(trusts(address), String(address))
    for (const address of outside) assert.isFalse(trusts(address), address)
  })

  it("believes only this machine by the name of loopback", () => {
    const trusts = TrustedHops.make("loopback")
    for (const address of loopback) assert.isTrue(trusts(address), String(address))
    for (const address of [...internal, ...outside]) assert.isFalse(trusts(address), address)
  })

  it("believes all, nobody, or whom a test says", () => {
    assert.isTrue(TrustedHops.make("all")("8.8.8.8"))
    assert.isFalse(TrustedHops.make("none")(undefined))
    assert.isTrue(TrustedHops.make((address) => address === "8.8.8.8")("8.8.8.8"))
  })

  it("follows X-Forwarded-For from its right end through trusted hops to the client", () => {
    const trusts = TrustedHops.make("private")
    const from = (forwardedFor: string | undefined, peer: string | undefined = "10.0.0.1") =>
      TrustedHops.clientAddress(peer, forwardedFor, trusts)
    assert.strictEqual(from(undefined), "10.0.0.1")
    assert.strictEqual(from("203.0.113.9"), "203.0.113.9")
    assert.strictEqual(
      from("1.1.1.1, 203.0.113.9, 10.0.0.2"),
      "203.0.113.9",
      "what the client wrote itself is not read"
    )
    assert.strictEqual(from("10.0.0.7, 10.0.0.2"), "10.0.0.7", "all hops are ours: the furthest asked")
    assert.strictEqual(from("203.0.113.9", "198.51.100.1"), "198.51.100.1", "a stranger names nobody")
    assert.strictEqual(from("203.0.113.9:4711"), "203.0.113.9")
    assert.strictEqual(from("[2001:db8::1]:443"), "2001:db8::1")
    assert.strictEqual(from("::ffff:203.0.113.9"), "203.0.113.9")
    assert.strictEqual(from("203.0.113.9, ,<script>"), "203.0.113.9", "what is no address is passed over")
    assert.strictEqual(TrustedHops.clientAddress(undefined, undefined, trusts), "127.0.0.1", "a unix socket")
    assert.strictEqual(from(",".repeat(10_000)), "10.0.0.1")
  })

  it("counts IPv4 by address and IPv6 by the network of one customer", () => {
    const network = TrustedHops.networkOf
    assert.strictEqual(network("203.0.113.9"), "203.0.113.9")
    assert.strictEqual(network("::ffff:203.0.113.9"), "203.0.113.9")
    assert.strictEqual(network("2001:db8:0:7:1:2:3:4"), "2001:db8:0:7::/64")
    assert.strictEqual(network("2001:DB8::7:ffff:0:0:1"), "2001:db8:0:7::/64", "however it is written")
    assert.strictEqual(network("::1"), "0:0:0:0::/64")
    assert.strictEqual(network("fe80::1%eth0"), "fe80:0:0:0::/64")
    assert.notStrictEqual(network("2001:db8:0:8::1"), network("2001:db8:0:7::1"))
  })
})
