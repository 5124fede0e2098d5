/**
 * A certificate for this machine, made when the gateway starts and valid for 30 days: the key never leaves the process.
 *
 * Node can read certificates and sign, but not make one, so the few fields of X.509 (RFC 5280) are written here. It is signed
 * by itself: who trusts it has to say so, for this one connection (`curl --cacert FILE`, the probe's option `ca`).
 */
import { Clock, DateTime, Effect } from "effect"
import { generateKeyPairSync, randomBytes, sign } from "node:crypto"

export interface Certificate {
  /** PEM, for everybody. */
  readonly certificate: string
  /** PEM, for the gateway alone. */
  readonly key: string
}

/** DER (X.690): a tag, the length of the content, and the content. */
const der = (tag: number, ...content: ReadonlyArray<Uint8Array>): Buffer => {
  const body = Buffer.concat(content)
  const size = body.length
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

const sequence = (...items: ReadonlyArray<Uint8Array>) => der(0x30, ...items)
const set = (...items: ReadonlyArray<Uint8Array>) => der(0x31, ...items)
const bits = (content: Uint8Array) => der(0x03, Buffer.from([0]), content)
const octets = (...content: ReadonlyArray<Uint8Array>) => der(0x04, ...content)
const explicit = (number: number, content: Uint8Array) => der(0xa0 + number, content)
const oid = (hex: string) => der(0x06, Buffer.from(hex, "hex"))
const yes = Buffer.from([0x01, 0x01, 0xff])

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"))
const commonName = oid("550403")
const serverAuth = oid("2b06010505070301")
const subjectAltName = oid("551d11")
const keyUsage = oid("551d0f")
const extendedKeyUsage = oid("551d25")

/** `YYMMDDHHMMSSZ`. */
const time = (millis: number) =>
  der(0x17, Buffer.from(DateTime.formatIso(DateTime.makeUnsafe(millis)).replace(/^..|[-:T]|\.\d+/g, "")))

const dnsName = (name: string) => der(0x82, Buffer.from(name))
const ipAddress = (bytes: ReadonlyArray<number>) => der(0x87, Buffer.from(bytes))

const day = 86_400_000

const pem = (label: string, content: Buffer) =>
  `-----BEGIN ${label}-----\n${content.toString("base64").replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`

/** For `localhost`, for each of `names` below it, and for the loopback addresses. */
export const make = (names: ReadonlyArray<string>): Effect.Effect<Certificate> =>
  Effect.map(Clock.currentTimeMillis, (now) => selfSigned(names, now))

const selfSigned = (names: ReadonlyArray<string>, now: number): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" })
  const name = sequence(set(sequence(commonName, der(0x0c, Buffer.from("localhost")))))
  // A positive number of 16 bytes.
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const unsigned = sequence(
    explicit(0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ecdsaWithSha256,
    name,
    // An hour ago, for clocks that are a little behind.
    sequence(time(now - day / 24), time(now + 30 * day)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    explicit(
      3,
      sequence(
        sequence(keyUsage, yes, octets(Buffer.from([0x03, 0x02, 0x07, 0x80]))),
        sequence(extendedKeyUsage, octets(sequence(serverAuth))),
        sequence(
          subjectAltName,
          octets(sequence(
            dnsName("localhost"),
            ...names.map((name) => dnsName(`${name}.localhost`)),
            ipAddress([127, 0, 0, 1]),
            ipAddress([...Array.from({ length: 15 }, () => 0), 1])
          ))
        )
      )
    )
  )
  return {
    certificate: pem("CERTIFICATE", sequence(unsigned, ecdsaWithSha256, bits(sign("sha256", unsigned, privateKey)))),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  }
}
