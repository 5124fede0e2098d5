/** Certificates for `localhost`, one good and one for each way to be bad, made by openssl when the tests begin. */
import { Effect, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Pair {
  readonly cert: string
  readonly key: string
}

export interface Certificates {
  /** The authority that the clients of these tests trust. */
  readonly authority: string
  readonly authorityFile: string
  readonly good: Pair
  readonly expired: Pair
  readonly otherName: Pair
  /** By an authority that nobody trusts. */
  readonly stranger: Pair
  readonly selfSigned: Pair
}

export const certificates: Effect.Effect<Certificates, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lc-failures-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
).pipe(Effect.map((folder) => {
  const at = (name: string) => join(folder, name)
  const openssl = (...args: ReadonlyArray<string>) => {
    const { error, status, stderr } = spawnSync("openssl", args)
    if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${error?.message ?? String(stderr)}`)
  }
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
  const root = (name: string, more: ReadonlyArray<string> = []) =>
    openssl(
      "req",
      "-x509",
      ...newKey,
      "-keyout",
      at(`${name}.key`),
      "-out",
      at(`${name}.pem`),
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
      ...more
    )
  const pair = (name: string): Pair => ({
    cert: readFileSync(at(`${name}.pem`), "utf8"),
    key: readFileSync(at(`${name}.key`), "utf8")
  })
  const leaf = (name: string, authority: string, host: string, days: string): Pair => {
    openssl("req", "-new", ...newKey, "-keyout", at(`${name}.key`), "-out", at(`${name}.csr`), "-subj", `/CN=${host}`)
    writeFileSync(at(`${name}.ext`), `subjectAltName=DNS:${host}\n`)
    openssl(
      "x509",
      "-req",
      "-in",
      at(`${name}.csr`),
      "-CA",
      at(`${authority}.pem`),
      "-CAkey",
      at(`${authority}.key`),
      "-CAcreateserial",
      "-out",
      at(`${name}.pem`),
      "-days",
      days,
      "-extfile",
      at(`${name}.ext`)
    )
    return pair(name)
  }
  root("authority")
  root("stranger")
  root("self", ["-addext", "subjectAltName=DNS:localhost"])
  return {
    authority: readFileSync(at("authority.pem"), "utf8"),
    authorityFile: at("authority.pem"),
    good: leaf("good", "authority", "localhost", "2"),
    expired: leaf("expired", "authority", "localhost", "-1"),
    otherName: leaf("other", "authority", "shop.example", "2"),
    stranger: leaf("strangers", "stranger", "localhost", "2"),
    selfSigned: pair("self")
  }
}))
