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
})
