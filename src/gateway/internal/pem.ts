/** Whether certificates and keys in PEM are what their fields say, and belong together. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { createSecureContext } from "node:tls"

/** What is wrong with which of the two. */
export interface PairProblem {
  readonly field: "certificate" | "key"
  readonly message: string
}

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** What the blocks of a file are called, in words. */
const contents = (pem: string): ReadonlyArray<string> => {
  const labels = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, label = ""]) => label)
  const kinds = labels.map((label) =>
    label.endsWith("PRIVATE KEY")
      ? "a private key"
      : label.endsWith("CERTIFICATE REQUEST")
      ? "a certificate request"
      : label.endsWith("CERTIFICATE")
      ? "a certificate"
      : label.endsWith("PUBLIC KEY")
      ? "a public key"
      : `"${label}"`
  )
  return [...new Set(kinds)]
}

const lacks = (pem: string, wanted: "a certificate" | "a private key"): string | undefined => {
  const held = contents(pem)
  if (held.includes(wanted)) return undefined
  return held.length === 0
    ? `It holds nothing in PEM; expected ${wanted}`
    : `It holds ${held.join(" and ")}, not ${wanted}`
}

/** The certificates of a file, or what is wrong with it. */
const certificatesOf = (pem: string): ReadonlyArray<X509Certificate> | string => {
  const missing = lacks(pem, "a certificate")
  if (missing !== undefined) return missing
  const blocks = pem.match(block) ?? []
  if (blocks.length === 0) return "The certificate in it is not whole"
  const certificates: Array<X509Certificate> = []
  for (const [index, text] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(text))
    } catch (error) {
      return `Certificate ${index + 1} of ${blocks.length} in it cannot be read: ${reasonOf(error)}`
    }
  }
  return certificates
}

const keyOf = (pem: string): KeyObject | string => {
  const missing = lacks(pem, "a private key")
  if (missing !== undefined) return missing
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    return "Its private key is encrypted, and there is no field for a passphrase: decrypt it with `openssl pkey`"
  }
  try {
    return createPrivateKey(pem)
  } catch (error) {
    return `Its private key cannot be read: ${reasonOf(error)}`
  }
}

/** What is wrong with the certificates of authorities. */
export const authoritiesProblem = (pem: string): string | undefined => {
  const certificates = certificatesOf(pem)
  return typeof certificates === "string" ? certificates : undefined
}

/** What keeps a server from showing the certificate and signing with the key; `undefined` for what could not be read. */
export const pairProblems = (
  certificate: string | undefined,
  key: string | undefined
): ReadonlyArray<PairProblem> => {
  const problems: Array<PairProblem> = []
  const chain = certificate === undefined ? undefined : certificatesOf(certificate)
  const secret = key === undefined ? undefined : keyOf(key)
  if (typeof chain === "string") problems.push({ field: "certificate", message: chain })
  if (typeof secret === "string") problems.push({ field: "key", message: secret })
  if (typeof chain !== "object" || typeof secret !== "object") return problems
  const owner = chain.findIndex((one) => one.checkPrivateKey(secret))
  if (owner > 0) {
    const message = `The certificate that belongs to the key is number ${owner + 1} in it, and has to come first`
    return [{ field: "certificate", message }]
  }
  if (owner < 0) return [{ field: "key", message: "Its private key does not belong to the certificate" }]
  try {
    createSecureContext({ cert: certificate, key })
    return []
  } catch (error) {
    return [{ field: "certificate", message: `OpenSSL does not take it: ${reasonOf(error)}` }]
  }
}
