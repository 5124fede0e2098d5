import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Diagnosis } from "effect-lifecycle/lifecycle"
import { Propagation, RequestId } from "effect-lifecycle/request"
import { differs, equal, type Topic } from "../ported.ts"

const html = (status: string) =>
  `HTTP/1.1 ${status}\nServer: nginx/1.25.3\nContent-Type: text/html\n\n<html><body><center><h1>${status}</h1></center><hr>` +
  "<center>nginx/1.25.3</center></body></html>"

const asJson = (status: string, body: string) => `HTTP/1.1 ${status}\nContent-Type: application/json\n\n${body}`

const finds = (text: string, stage: string) => () =>
  Effect.sync(() => assert.strictEqual(Diagnosis.diagnose({ _tag: "Curl", text }).verdict, stage))

/** The graded practice: which layer said this, and how one request is followed. */
export const lessonDiagnosis: Topic = {
  source: "lesson",
  title: "The lesson: naming the layer, following a request",
  file: "lessonDiagnosis.ts",
  behaviours: [
    equal(
      "layer-dns",
      "finds DNS behind `Could not resolve host`",
      finds("curl: (6) Could not resolve host: api.example.com", "Dns")
    ),
    equal("layer-413", "finds the proxy behind a 413 of nginx", finds(html("413 Request Entity Too Large"), "Proxy")),
    equal("layer-502", "finds the proxy behind a 502 with an HTML body", finds(html("502 Bad Gateway"), "Proxy")),
    equal("layer-504", "finds the proxy behind a 504 of nginx", finds(html("504 Gateway Time-out"), "Proxy")),
    equal(
      "layer-422",
      "finds validation behind a 422 that lists fields",
      finds(
        asJson(
          "422 Unprocessable Entity",
          "{\"detail\":[{\"loc\":[\"body\",\"email\"],\"msg\":\"field required\",\"type\":\"value_error.missing\"}]}"
        ),
        "Validation"
      )
    ),
    equal(
      "layer-404",
      "finds the router behind a 404 with the framework's JSON",
      finds(asJson("404 Not Found", "{\"detail\":\"Not Found\"}"), "Router")
    ),
    differs("layer-sure", {
      theirs: "gives one layer for each symptom",
      ours: "ranks the layers and says what decided and how sure it is",
      reason: "a 502 with an unknown body has more than one possible author"
    }, () =>
      Effect.sync(() => {
        const { ranked } = Diagnosis.diagnose({ _tag: "Curl", text: "HTTP/1.1 502 Bad Gateway\n\n" })
        assert.isAbove(ranked.length, 1)
      })),
    equal(
      "trace-forwarded",
      "sends the request's id with every call, without a word in the handler",
      () =>
        Effect.gen(function*() {
          const extracted = yield* Propagation.extract({ "x-request-id": "f4a2b3c1" }, { trusted: true })
          const headers = yield* Propagation.run(Propagation.inject(), extracted)
          assert.strictEqual(headers["x-request-id"], "f4a2b3c1")
        })
    ),
    equal("trace-inherited", "lets work that is forked for the request see its id", () =>
      Effect.gen(function*() {
        const extracted = yield* Propagation.extract({ "x-request-id": "f4a2b3c1" }, { trusted: true })
        const forked = Effect.all([Effect.service(RequestId.Current), Effect.service(RequestId.Current)], {
          concurrency: 2
        })
        const ids = yield* Propagation.run(forked, extracted)
        assert.deepStrictEqual(ids.map((id) => id._tag === "Some" ? id.value : ""), ["f4a2b3c1", "f4a2b3c1"])
      })),
    differs("trace-w3c", {
      theirs: "forwards the request id alone",
      ours: "forwards W3C trace context with it",
      reason: "an id finds the lines of a request; only spans say which call caused which"
    }, () =>
      Effect.gen(function*() {
        const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        const extracted = yield* Propagation.extract({ traceparent }, { trusted: true })
        const headers = yield* Propagation.run(Propagation.inject(), extracted)
        assert.include(headers["traceparent"], "0af7651916cd43dd8448eb211c80319c")
      }))
  ]
}
