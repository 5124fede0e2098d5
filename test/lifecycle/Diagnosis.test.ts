import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Diagnosis, Failure, Stage } from "effect-lifecycle/lifecycle"
import { HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { curlRules } from "../../src/lifecycle/internal/diagnosis/curlRules.ts"
import { errorRules } from "../../src/lifecycle/internal/diagnosis/errorRules.ts"
import { frameworkRules } from "../../src/lifecycle/internal/diagnosis/frameworkRules.ts"
import { gatewayRules } from "../../src/lifecycle/internal/diagnosis/gatewayRules.ts"
import { jsonRules } from "../../src/lifecycle/internal/diagnosis/jsonRules.ts"
import { statusRules } from "../../src/lifecycle/internal/diagnosis/statusRules.ts"
import {
  type Capture,
  curl,
  forwarded,
  lessonRows,
  levelOne,
  nginxHeaders,
  nginxPage,
  problem,
  problemHeaders,
  response
} from "./captures.ts"
import { curlErrors, nodeErrors } from "./clientCaptures.ts"
import { products } from "./productCaptures.ts"
import { seen } from "./seenCaptures.ts"
import { twoSpeakers } from "./statusCaptures.ts"

const sawWhat = (diagnosis: Diagnosis.Diagnosis): string =>
  diagnosis.ranked.map((finding) => `${finding.stage} ${finding.confidence}: ${finding.evidence}`).join("\n")

const check = (capture: Capture, evidence: Diagnosis.Evidence = capture.evidence): void => {
  const diagnosis = Diagnosis.diagnose(evidence)
  assert.strictEqual(diagnosis.verdict, capture.stage, sawWhat(diagnosis))
  if (capture.failure !== undefined) assert.strictEqual(diagnosis.ranked[0]?.failure, capture.failure)
  if (capture.reached !== undefined) assert.strictEqual(diagnosis.reached, capture.reached, sawWhat(diagnosis))
  for (const finding of diagnosis.ranked) {
    assert.isAbove(finding.evidence.length, 20)
    assert.isAbove(finding.advice.length, 10)
  }
}

describe("Diagnosis", () => {
  describe("the lesson's Level 1", () => {
    for (const capture of levelOne) it(capture.name, () => check(capture))
  })

  describe("the lesson's eighteen rows", () => {
    for (const capture of lessonRows) it(`${capture.row}: ${capture.name}`, () => check(capture))

    it("has a capture for each row, which lands on that row's stage", () => {
      assert.deepStrictEqual(lessonRows.map(({ row }) => row), Array.from({ length: 18 }, (_, index) => index + 1))
      for (const { failure, row, stage } of lessonRows) {
        const expected = Failure.all.find((candidate) => candidate.lessonRow === row)
        assert.deepStrictEqual([expected?.id, expected?.stage], [failure, stage])
      }
    })

    it("tells each from a neighbour with the same number, or with no number either", () => {
      for (const { evidence, failure, neighbour } of lessonRows) {
        assert.notStrictEqual(neighbour, failure)
        // The lesson gives its fifteenth row two numbers, 401 and 403; the tenth is its neighbour at 401.
        const status = failure === "security-invalid-token" ? 403 : Failure.get(failure!).status
        assert.strictEqual(Failure.get(neighbour).status, status, neighbour)
        assert.notStrictEqual(Diagnosis.diagnose(evidence).ranked[0]?.failure, neighbour)
      }
    })
  })

  describe("a status that several layers speak", () => {
    for (const capture of twoSpeakers) it(capture.name, () => check(capture))
  })

  describe("errors of Node", () => {
    for (const capture of nodeErrors) it(capture.name, () => check(capture))
  })

  describe("words of curl", () => {
    for (const capture of curlErrors) it(capture.name, () => check(capture))
  })

  describe("words of single products", () => {
    for (const capture of products) it(capture.name, () => check(capture))
  })

  describe("what was seen over real sockets", () => {
    for (const capture of seen) it(capture.name, () => check(capture))
  })

  it("has no deciding rule that decides nothing: without it, the first finding of some capture is another", () => {
    const captures = [...levelOne, ...lessonRows, ...twoSpeakers, ...nodeErrors, ...curlErrors, ...products, ...seen]
    const first = () => captures.map(({ evidence }) => Diagnosis.diagnose(evidence).ranked[0])
    const expected = JSON.stringify(first())
    const lists: ReadonlyArray<
      ReadonlyArray<{ confidence: string; when: (facts: never) => boolean; evidence: unknown }>
    > = [
      gatewayRules,
      frameworkRules,
      jsonRules,
      statusRules,
      curlRules,
      errorRules
    ]
    const idle: Array<string> = []
    for (const rule of lists.flat().filter(({ confidence }) => confidence !== "possible")) {
      const when = rule.when
      rule.when = () => false
      if (JSON.stringify(first()) === expected) idle.push(`${when} ${rule.evidence}`)
      rule.when = when
    }
    assert.deepStrictEqual(idle, [])
  })

  describe("held-out variations", () => {
    const recase: ReadonlyArray<(name: string) => string> = [
      (name) => name.toLowerCase(),
      (name) => name.toUpperCase(),
      (name) => name.replaceAll(/(^|-)([a-z])/g, (all) => all.toUpperCase())
    ]
    const responses = [...lessonRows, ...twoSpeakers, ...products].filter((capture) =>
      capture.evidence._tag === "Response"
    )

    it("do not depend on the case of header names", () => {
      for (const capture of responses) {
        const evidence = capture.evidence as Diagnosis.ResponseEvidence
        for (const change of recase) {
          const headers = Object.fromEntries(
            Object.entries(evidence.headers).map(([name, value]) => [change(name), value as string])
          )
          check(capture, { ...evidence, headers })
        }
      }
    })

    it("do not depend on the shape of the headers", () => {
      for (const capture of responses) {
        const evidence = capture.evidence as Diagnosis.ResponseEvidence
        const headers = new Headers(Object.entries(evidence.headers).map(([name, value]) => [name, value as string]))
        check(capture, { ...evidence, headers })
        check(capture, { ...evidence, headers: [...headers] })
      }
    })

    it("give the same verdict for the same answer pasted from curl -i and curl -v", () => {
      for (const capture of responses) {
        const { body, headers, log, status } = capture.evidence as Diagnosis.ResponseEvidence
        const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
        const text = typeof body === "string" ? body : ""
        if (body === undefined || log !== undefined) continue
        check(capture, curl([`HTTP/1.1 ${status} Words`, ...head, "", text].join("\r\n")))
        check(capture, curl([`HTTP/2 ${status} `, ...head.map((line) => line.toLowerCase()), "", text].join("\n")))
        const verbose = [
          "* Connected to a.example (192.0.2.1) port 80",
          "> GET / HTTP/1.1",
          "> ",
          `< HTTP/1.1 ${status} Words`
        ]
        check(
          capture,
          curl([...verbose, ...head.map((line) => `< ${line}`), "< ", text, "* Closing connection"].join("\n"))
        )
      }
    })

    it("do not depend on hosts and ids", () => {
      for (const host of ["api.example.com", "users.internal", "xn--bcher-kva.example", "db-1"]) {
        check(levelOne[0]!, curl(`curl: (6) Could not resolve host: ${host}`))
        check(nodeErrors[0]!, { _tag: "NodeError", code: "EAI_AGAIN", message: `getaddrinfo EAI_AGAIN ${host}` })
      }
      for (const id of ["User 42 not found", "No order with id 0190d3f2-7c1b", "Invoice INV-9 does not exist"]) {
        check(lessonRows[17]!, response(404, forwarded, JSON.stringify({ detail: id })))
      }
      for (const path of ["/users", "/v1/orders/77", "/"]) {
        check(
          lessonRows[12]!,
          response(404, forwarded, JSON.stringify({ message: `Cannot GET ${path}`, error: "Not Found" }))
        )
      }
      for (const version of ["nginx", "nginx/1.18.0 (Ubuntu)", "openresty/1.21.4.1"]) {
        const page = nginxPage(502).replace("nginx/1.25.3", version)
        check(levelOne[2]!, response(502, { Server: version, "Content-Type": "text/html" }, page))
        check(levelOne[2]!, response(502, {}, page))
      }
    })

    it("believe a JSON body before a wrong media type, and an HTML body too", () => {
      check(lessonRows[12]!, response(404, { ...nginxHeaders }, "{\"detail\":\"Not Found\"}"))
      check(twoSpeakers[0]!, response(404, { ...forwarded }, nginxPage(404)))
    })

    it("read a body that was parsed already", () => {
      check(lessonRows[12]!, response(404, forwarded, { detail: "Not Found" }))
    })
  })

  describe("a problem that names its stage", () => {
    for (const { name, side } of Stage.all) {
      it(`is believed: ${name}`, () => {
        for (const status of [400, 404, 502, 503, 504]) {
          const body = problem(status, "Some title", "User 42 not found", { stage: name, errors: [{ pointer: "/x" }] })
          const diagnosis = Diagnosis.diagnose(response(status, problemHeaders, body))
          assert.strictEqual(diagnosis.verdict, name)
          assert.strictEqual(diagnosis.ranked[0]?.confidence, "certain")
          assert.strictEqual(diagnosis.reached, side === "server")
        }
      })
    }

    it("names its failure where stage and status leave one row, or where its type names it", () => {
      const failureOf = (status: number, stage: string, type = "about:blank") =>
        Diagnosis.diagnose(response(status, problemHeaders, problem(status, "x", undefined, { stage, type }))).ranked[0]
          ?.failure
      assert.strictEqual(failureOf(404, "Handler"), "handler-not-found")
      assert.strictEqual(failureOf(504, "Middleware"), "middleware-deadline-exceeded")
      assert.strictEqual(failureOf(400, "Middleware"), undefined)
      assert.strictEqual(failureOf(400, "Dependencies"), undefined)
      assert.strictEqual(
        failureOf(400, "Dependencies", "urn:problem:idempotency-key-missing"),
        "dependencies-key-missing"
      )
      assert.strictEqual(
        failureOf(400, "Middleware", "https://x.example/problems/middleware-bad-host"),
        "middleware-bad-host"
      )
    })

    it("is not believed when the stage is none of the fifteen", () => {
      const body = problem(404, "Not Found", undefined, { stage: "Basement" })
      assert.strictEqual(Diagnosis.diagnose(response(404, problemHeaders, body)).verdict, "Router")
    })
  })

  describe("without deciding evidence", () => {
    for (const status of [400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503]) {
      it(`a bare ${status} is undecided, with its possible authors`, () => {
        const diagnosis = Diagnosis.diagnose(response(status, {}))
        assert.strictEqual(diagnosis.verdict, "undecided")
        assert.isFalse(diagnosis.reached)
        assert.isAbove(new Set(diagnosis.ranked.map((finding) => finding.stage)).size, 1)
        assert.isTrue(diagnosis.ranked.every((finding) => finding.confidence === "possible"))
      })
    }

    it("the name of a proxy on an answer without a body decides nothing", () => {
      assert.strictEqual(Diagnosis.diagnose(response(404, { Server: "nginx" })).verdict, "undecided")
    })

    it("an empty text, a success and an unknown tag are undecided", () => {
      const none = { ranked: [], verdict: "undecided", reached: false } as const
      assert.deepStrictEqual(Diagnosis.diagnose(curl("")), none)
      assert.deepStrictEqual(Diagnosis.diagnose(response(200, forwarded, "{}")), none)
      assert.deepStrictEqual(Diagnosis.diagnose({ _tag: "Telegram" } as never), none)
      assert.deepStrictEqual(Diagnosis.fromUnknown(undefined), none)
    })
  })

  describe("ranking", () => {
    it("puts the stronger finding first and keeps the weaker below", () => {
      const { ranked } = Diagnosis.diagnose(response(502, nginxHeaders, nginxPage(502)))
      assert.deepStrictEqual(ranked.slice(0, 2).map(({ confidence, stage }) => [stage, confidence]), [
        ["Proxy", "certain"],
        ["Server", "possible"]
      ])
    })

    it("names a stage and a failure once", () => {
      for (const { evidence } of [...lessonRows, ...twoSpeakers]) {
        const names = Diagnosis.diagnose(evidence).ranked.map(({ failure, stage }) => `${stage} ${failure}`)
        assert.strictEqual(new Set(names).size, names.length, names.join(", "))
      }
    })

    it("lets Proxy-Status tell a crash from a closed port", () => {
      const of = (error: string) =>
        Diagnosis.diagnose(response(502, { ...nginxHeaders, "Proxy-Status": `nginx; error=${error}` }, nginxPage(502)))
          .verdict
      assert.strictEqual(of("connection_terminated"), "Server")
      assert.strictEqual(of("connection_refused"), "Proxy")
    })
  })

  describe("errors of Effect's client", () => {
    const request = HttpClientRequest.get("http://127.0.0.1:4100/users/1")
    const diagnose = (reason: HttpClientError.HttpClientErrorReason) => {
      const error = new HttpClientError.HttpClientError({ reason })
      assert.deepStrictEqual(Diagnosis.fromUnknown(error), Diagnosis.diagnose({ _tag: "HttpClientError", error }))
      return Diagnosis.diagnose({ _tag: "HttpClientError", error })
    }
    const answer = (status: number, headers: Record<string, string>) =>
      HttpClientResponse.fromWeb(request, new Response("x", { status, headers }))

    it("are read down to the socket's code", () => {
      const cause = new TypeError("fetch failed", {
        cause: Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:4100"), {
          code: "ECONNREFUSED",
          syscall: "connect"
        })
      })
      const diagnosis = diagnose(new HttpClientError.TransportError({ request, cause }))
      assert.strictEqual(diagnosis.verdict, "Connect")
      assert.strictEqual(diagnosis.ranked[0]?.failure, "connect-refused")
    })

    it("with an answer are judged by its status and headers", () => {
      const headers = { "content-type": "application/problem+json" }
      const at = (status: number, headers: Record<string, string>) =>
        diagnose(new HttpClientError.StatusCodeError({ request, response: answer(status, headers) })).verdict
      assert.strictEqual(at(500, headers), "Handler")
      assert.strictEqual(at(502, { "content-type": "text/html", server: "nginx" }), "Proxy")
      assert.strictEqual(at(404, {}), "undecided")
    })

    it("about an answer that cannot be decoded point to the response", () => {
      const diagnosis = diagnose(new HttpClientError.DecodeError({ request, response: answer(200, {}) }))
      assert.strictEqual(diagnosis.verdict, "Response")
      assert.isTrue(diagnosis.reached)
    })

    it("about a request that cannot be built point to the client", () => {
      assert.strictEqual(diagnose(new HttpClientError.InvalidUrlError({ request })).verdict, "Send")
    })

    it.effect("of a real refused connection", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Effect.tryPromise(() => fetch("http://127.0.0.1:2/")))
        assert.strictEqual(Diagnosis.fromUnknown(error).verdict, "Connect")
      }))
  })

  describe("helpers", () => {
    it("fromResponse takes a web Response", () => {
      const web = new Response(nginxPage(413), { status: 413, headers: nginxHeaders })
      assert.strictEqual(Diagnosis.fromResponse(web, nginxPage(413)).verdict, "Proxy")
    })

    it("fromUnknown takes a string as curl's words", () => {
      assert.strictEqual(Diagnosis.fromUnknown("curl: (52) Empty reply from server").verdict, "Server")
    })

    it("parseCurl takes the last answer of a redirect and joins repeated headers", () => {
      const output = Diagnosis.parseCurl(
        [
          "HTTP/1.1 301 Moved Permanently",
          "Location: https://api.example.com/",
          "",
          "HTTP/1.1 405 Method Not Allowed",
          "Allow: GET",
          "allow: HEAD",
          "",
          "line one",
          "",
          "line two"
        ].join("\r\n")
      )
      assert.deepStrictEqual(output.response, {
        status: 405,
        reason: "Method Not Allowed",
        headers: { allow: "GET, HEAD" },
        body: "line one\n\nline two"
      })
    })

    it("parseCurl keeps an HTTP line that is part of a body", () => {
      const output = Diagnosis.parseCurl("HTTP/1.1 400 Bad Request\nA: b\n\nyou sent\nHTTP/1.1 200 OK")
      assert.strictEqual(output.response?.status, 400)
      assert.strictEqual(output.response?.body, "you sent\nHTTP/1.1 200 OK")
    })
  })

  describe("totality", () => {
    const Json = Schema.Union([Schema.String, Schema.Int, Schema.Boolean, Schema.Null, Schema.Array(Schema.String)])
    const isDiagnosis = (diagnosis: Diagnosis.Diagnosis): void => {
      const first = diagnosis.ranked[0]
      const decided = first !== undefined && first.confidence !== "possible"
      assert.strictEqual(diagnosis.verdict, decided ? first.stage : "undecided")
    }

    it.prop("any response gets a diagnosis", {
      status: Schema.Union([Schema.Int, Schema.Literals([400, 404, 413, 422, 502, 503, 504])]),
      headers: Schema.Record(Schema.String, Schema.String),
      type: Schema.Literals(["text/html", "application/json", "application/problem+json", "text/plain", "%%"]),
      body: Schema.Union([Schema.String, Json, Schema.Record(Schema.String, Json)])
    }, ({ body, headers, status, type }) => {
      isDiagnosis(Diagnosis.diagnose(response(status, { ...headers, "Content-Type": type }, body)))
    })

    it.prop("any text of curl gets a diagnosis", {
      lines: Schema.Array(
        Schema.Union([
          Schema.String,
          Schema.Literals([
            "HTTP/1.1 502 Bad Gateway",
            "< HTTP/2 404 ",
            "",
            "A: b",
            "__proto__: x",
            "curl: (18) x",
            "{",
            "<html>"
          ])
        ])
      ),
      exitCode: Schema.Int
    }, ({ exitCode, lines }) => {
      isDiagnosis(Diagnosis.diagnose(curl(lines.join("\n"), exitCode)))
      Diagnosis.parseCurl(lines.join("\r\n"))
    })

    it.prop("any error gets a diagnosis", {
      code: Json,
      message: Json,
      errors: Json,
      cause: Schema.Record(Schema.String, Json)
    }, ({ cause, code, errors, message }) => {
      isDiagnosis(Diagnosis.diagnose({ _tag: "NodeError", code, message, errors, cause } as never))
      isDiagnosis(Diagnosis.fromUnknown({ code, message, errors, cause }))
    })

    it("survives what no schema makes", () => {
      const circle: Record<string, unknown> = { code: "X" }
      circle["cause"] = circle
      circle["errors"] = [circle, circle]
      const trap = new Proxy({}, {
        get: () => {
          throw new Error("trap")
        }
      })
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      const deep = Array.from({ length: 10_000 }).reduce<unknown>((cause) => ({ cause }), { code: "ECONNREFUSED" })
      for (const value of [circle, trap, proxy, deep, Symbol("s"), 10n, () => 1, Object.create(null), null, NaN]) {
        isDiagnosis(Diagnosis.fromUnknown(value))
        for (const _tag of ["Curl", "NodeError", "HttpClientError", "Response"]) {
          isDiagnosis(Diagnosis.diagnose({ _tag, text: value, code: value, cause: value, error: value } as never))
          isDiagnosis(Diagnosis.diagnose({ _tag, status: value, headers: value, body: value, log: value } as never))
          isDiagnosis(
            Diagnosis.diagnose({ _tag, status: 404, headers: { a: value }, body: value, reason: value } as never)
          )
        }
        isDiagnosis(Diagnosis.diagnose(value as never))
      }
    })

    it("stays quick on long inputs", () => {
      const long = "a".repeat(1_000_000)
      for (
        const text of [long, `HTTP/1.1 404 ${long}`, `<${long}`, `{"detail":"${long}"}`, `upstream timed out ${long}`]
      ) {
        isDiagnosis(Diagnosis.diagnose(curl(text)))
        isDiagnosis(Diagnosis.diagnose(response(404, { server: text, via: text }, text, text)))
      }
    })
  })
})
