import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Stage } from "effect-lifecycle/lifecycle"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as http from "node:http"
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
        assert.deepStrictEqual({ code, out }, { code: 2, out: "" })
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

/** Answers every request with `status`, and keeps what came. */
const plain = (status = 200, body = "{}") =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly server: http.Server; readonly seen: Array<http.IncomingMessage> }>((resume) => {
        const seen: Array<http.IncomingMessage> = []
        const server = http.createServer((request, response) => {
          seen.push(request)
          response.writeHead(status, {
            "content-type": "application/json",
            "server-timing": "Router;dur=0.5;desc=\"server/Router\", Handler;dur=1.5"
          }).end(body)
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, seen })))
      }),
      ({ server }) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    ),
    ({ seen, server }) => ({ seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders?page=2` })
  )

describe("lifecycle probe --header", () => {
  it.live(
    "refuses a header without a name or a colon, says the form, sends nothing and repeats no secret",
    () =>
      Effect.gen(function*() {
        const { seen, url } = yield* plain()
        const cases: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
          [["s3cret"], "--header number 1 has no colon"],
          [["Accept: text/plain", "Bearer s3cret"], "--header number 2 has no colon"],
          [[": s3cret"], "--header number 1 has no name before its colon"],
          [["two words: s3cret"], "--header number 1 has no name before its colon"]
        ]
        for (const [given, sentence] of cases) {
          for (const more of [[], ["--json"]]) {
            const ended = yield* lifecycle(["probe", ...given.flatMap((line) => ["-H", line]), url, ...more])
            assert.deepStrictEqual(ended, {
              code: 2,
              out: "",
              err: `${sentence}: write it in the form \`name: value\`, such as "Accept: application/json".\n`
            })
          }
        }
        assert.lengthOf(seen, 0)
      }),
    60_000
  )

  it.live(
    "sends what is given, a colon in the value and a name that is given twice included",
    () =>
      Effect.gen(function*() {
        const { seen, url } = yield* plain()
        const given = ["X-When: 10:30", "x-many: a", "X-Many:b", "X-None:"]
        const { code, err } = yield* lifecycle(["probe", ...given.flatMap((line) => ["-H", line]), url])
        assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
        const { headersDistinct } = seen[0]!
        assert.deepStrictEqual(headersDistinct["x-when"], ["10:30"])
        assert.deepStrictEqual(headersDistinct["x-many"], ["a", "b"])
        assert.deepStrictEqual(headersDistinct["x-none"], [""])
      }),
    60_000
  )

  it.live("ends with 2 whenever it was asked in a wrong way", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* plain()
      for (const more of [["--timeout", "0"], ["--timeout", "soon"], ["--hedaer", "a: b"], ["-H", "a: 5\u20ac"]]) {
        const { code, err } = yield* lifecycle(["probe", url, ...more])
        assert.strictEqual(code, 2, more.join(" "))
        assert.notStrictEqual(err, "")
      }
      assert.lengthOf(seen, 0)
    }), 60_000)
})

describe("lifecycle probe --json", () => {
  /** One document and nothing else. */
  const reported = (args: ReadonlyArray<string>) =>
    Effect.map(lifecycle(["probe", ...args, "--json"]), ({ code, err, out }) => {
      assert.match(out, /^\{.*\}\n$/)
      // oxlint-disable-next-line typescript/no-explicit-any
      return { code, err, report: JSON.parse(out) as any }
    })

  it.live("tells all fifteen stages and the answer, with the numbers of the waterfall", () =>
    Effect.gen(function*() {
      const { url } = yield* plain()
      const { code, err, report } = yield* reported([url.replace("//", "//alice:s3cret@")])
      assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
      assert.deepStrictEqual(report.request, { method: "GET", url })
      assert.deepStrictEqual(report.answer, {
        status: 200,
        httpVersion: "1.1",
        tlsVersion: null,
        remoteAddress: "127.0.0.1",
        bodyBytes: 2,
        bodyTruncated: false
      })
      assert.deepStrictEqual([report.error, report.diagnosis], [null, null])
      const stages = report.stages.map(({ stage }: { readonly stage: string }) => stage)
      assert.deepStrictEqual(stages, Stage.StageName.literals)
      const [dns, connect, tls, send] = report.stages
      const [router, , , handler, response] = report.stages.slice(10)
      for (const { durationMillis, startMillis } of [dns, connect, send, response]) {
        assert.isAtLeast(durationMillis, 0)
        assert.isAtLeast(startMillis, 0)
      }
      assert.deepStrictEqual([tls.order, tls.durationMillis, tls.notOnRoad], [3, null, "the URL is http"])
      assert.deepStrictEqual([router.durationMillis, handler.durationMillis], [0.5, 1.5])
      assert.strictEqual(router.entries[0].name, "server/Router")
      assert.deepStrictEqual(report.stages[4].entries, [])
      assert.isAbove(report.waitingMillis, 0)
      assert.closeTo(
        report.totalMillis,
        dns.durationMillis + connect.durationMillis + send.durationMillis + report.waitingMillis +
          response.durationMillis,
        0.5
      )
    }), 60_000)

  it.live(
    "tells the diagnosis of an answer that is a failure, with its evidence, and ends with 1",
    () =>
      Effect.gen(function*() {
        const { url } = yield* plain(404, "{\"detail\":\"Not Found\"}")
        const text = yield* lifecycle(["probe", url])
        const { code, err, report } = yield* reported(["-X", "DELETE", url])
        assert.deepStrictEqual({ code, err }, { code: text.code, err: text.err })
        assert.deepStrictEqual([code, err], [1, "The request failed: the answer is 404.\n"])
        assert.strictEqual(report.request.method, "DELETE")
        assert.strictEqual(report.answer.status, 404)
        const { ranked: [first], verdict } = report.diagnosis
        assert.deepStrictEqual([verdict, first.stage, first.order], ["Router", "Router", 11])
        // The same words as the text has.
        assert.include(text.out, `Stage  Router (stage 11 of 15), ${first.confidence}`)
        assert.include(text.out, `Why    ${first.evidence}`)
        assert.include(text.out, `Try    ${first.advice}`)
      }),
    60_000
  )

  it.live("tells where a request without an answer ended, as measured, and ends with 1", () =>
    Effect.gen(function*() {
      const text = yield* lifecycle(["probe", "http://127.0.0.1:1/"])
      const { code, err, report } = yield* reported(["http://127.0.0.1:1/"])
      assert.deepStrictEqual([code, err], [1, text.err])
      assert.strictEqual(report.answer, null)
      const { code: reason, host, stage } = report.error
      assert.deepStrictEqual([stage, reason, host], ["Connect", "ECONNREFUSED", "127.0.0.1:1"])
      assert.isAbove(report.totalMillis, 0)
      assert.strictEqual(report.waitingMillis, null)
      assert.strictEqual(report.stages[1].entries[0].note, "failed here: ECONNREFUSED")
      const { ranked: [first, ...rest], reached, verdict } = report.diagnosis
      assert.deepStrictEqual([verdict, first.confidence, reached, rest], ["Connect", "measured", false, []])
      assert.include(text.out, `Why    ${first.evidence}`)
      assert.include(text.out, `Try    ${first.advice}`)
    }), 60_000)

  it.live("is told in the help, and so are the exit codes", () =>
    Effect.gen(function*() {
      const { out } = yield* lifecycle(["probe", "--help"])
      assert.match(out, /--json .*one JSON line/)
      assert.match(out, /Ends with 0 for an answer below 400, 1 for .*, 2 where nothing could be sent/)
    }), 60_000)
})
