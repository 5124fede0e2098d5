import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { dirname, join } from "node:path"
import { certificates } from "../conformance/failures/certificates.ts"
import { lifecycle } from "./command.ts"

const given = Effect.gen(function*() {
  const { authorityFile, good } = yield* certificates
  const server = yield* Effect.acquireRelease(
    Effect.callback<https.Server>((resume) => {
      const made = https.createServer({ cert: good.cert, key: good.key }, (_, response) => response.end("safe"))
      made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`
  const file = (name: string, text: string) => {
    const path = join(dirname(authorityFile), name)
    fs.writeFileSync(path, text)
    return path
  }
  return { authorityFile, authority: fs.readFileSync(authorityFile, "utf8"), url, file }
})

describe.skipIf(spawnSync("openssl", ["version"]).status !== 0)("lifecycle probe --ca", () => {
  it.live(
    "trusts the authorities of the file, and without it nobody has signed the certificate",
    () =>
      Effect.gen(function*() {
        const { authority, authorityFile, file, url } = yield* given
        const stranger = yield* lifecycle(["probe", url])
        assert.strictEqual(stranger.code, 1)
        assert.match(stranger.out, /^Stage {2}Tls .*measured$/m)

        const { code, err, out } = yield* lifecycle(["probe", url, "--ca", authorityFile])
        assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
        assert.match(out, /^ 3 Tls .*\d\.\d{3}$/m)
        assert.match(out, /answered 200 over HTTP\/1\.1, 4 bytes$/m)

        const several = file("several.pem", `What follows is trusted.\r\n${authority}\n${authority}`)
        assert.strictEqual((yield* lifecycle(["probe", url, "--ca", several])).code, 0)
      }),
    60_000
  )

  it.live("says in one sentence what is wrong with the file, and sends nothing", () =>
    Effect.gen(function*() {
      const { authority, authorityFile, file, url } = yield* given
      const broken = authority.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA")
      const cases: ReadonlyArray<readonly [string, string]> = [
        [join(dirname(authorityFile), "missing.pem"), "cannot be read (ENOENT)"],
        [dirname(authorityFile), "cannot be read (EISDIR)"],
        [file("empty.pem", ""), "holds no certificate"],
        [file("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "holds no certificate"],
        [file("broken.pem", `${authority}${broken}`), "has a broken certificate (number 2)"]
      ]
      for (const [path, reason] of cases) {
        const { code, err, out } = yield* lifecycle(["probe", url, "--ca", path])
        assert.deepStrictEqual({ code, out }, { code: 1, out: "" })
        assert.strictEqual(
          err,
          `--ca ${path} ${reason}: name a file of certificates in PEM, as \`openssl x509\` writes them.\n`
        )
      }
    }), 60_000)

  it.live("is told in the help", () =>
    Effect.gen(function*() {
      const { out } = yield* lifecycle(["probe", "--help"])
      assert.match(out, /--ca .*a PEM file of the certificate authorities to trust instead of the system's/)
    }), 60_000)
})
