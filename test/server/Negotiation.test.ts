import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { InvalidOption } from "effect-lifecycle/resilience"
import { Negotiation, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, bearer, listener, tokens } from "./harness.ts"

const choose = (types: ReadonlyArray<string>) => {
  const negotiate = Negotiation.make({ types })
  return (accept: string | undefined) => negotiate({ accept })?.type
}

describe("media types", () => {
  const three = choose(["application/json", "text/csv", "text/plain"])

  it("takes the first offered where the client says nothing or everything will do", () => {
    for (const accept of [undefined, "", "*/*", " */* ", "*/*;q=0.1", "nonsense", ",,;;", "text", "text/csv;q=2"]) {
      assert.strictEqual(three(accept), "application/json", accept)
    }
  })

  it("takes the highest weight, and among equals the first offered", () => {
    assert.strictEqual(three("text/csv, application/json;q=0.9"), "text/csv")
    assert.strictEqual(three("text/csv;q=0.8, application/json;q=0.8"), "application/json")
    assert.strictEqual(three("text/*, application/json;q=0.999"), "text/csv")
    assert.strictEqual(three("TEXT/PLAIN ; Q=1.000, text/*;q=0.5"), "text/plain")
    assert.strictEqual(three("image/png, */*;q=0.1"), "application/json")
  })

  it("lets the more exact range decide, whatever stands first (RFC 9110 12.5.1)", () => {
    assert.strictEqual(three("*/*, application/json;q=0"), "text/csv")
    assert.strictEqual(three("text/*;q=0.3, text/plain;q=0.7, */*;q=0.5"), "text/plain")
    assert.isUndefined(three("application/json;q=0, text/*;q=0"))
    const levels = choose(["text/html;level=1", "text/html;level=3", "text/html"])
    const rfc = "text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5"
    assert.strictEqual(levels(rfc), "text/html;level=1")
    assert.strictEqual(levels("text/html;level=3, text/html;q=0.1"), "text/html;level=3")
    assert.strictEqual(levels("text/html;LEVEL=\"3\";q=1"), "text/html;level=3")
    assert.strictEqual(choose(["text/html"])("text/html;level=1, text/*;q=0.2"), "text/html")
    assert.isUndefined(choose(["text/html"])("text/html;level=1"))
  })

  it("refuses where nothing fits", () => {
    for (const accept of ["image/png", "application/*;q=0, text/*;q=0.000, */*;q=0", "text/html"]) {
      assert.isUndefined(three(accept), accept)
    }
  })

  it("is not led astray by quotes, commas in them, and what cannot be read", () => {
    assert.strictEqual(three("text/csv;a=\"x, application/json;q=1\";q=0.2, text/plain"), "text/plain")
    assert.strictEqual(choose(["a/b;x=\"1,2\"", "a/b"])("a/b;x=\"1,2\""), "a/b;x=\"1,2\"")
    assert.strictEqual(three("text/csv;q=x, text/plain"), "text/plain")
    assert.strictEqual(three("text/csv;q=-1, text/plain"), "text/plain")
    assert.strictEqual(three("a b, text/plain"), "text/plain")
    // A quote that never ends takes the rest of the header with it.
    assert.isUndefined(three("text/csv;a=\"b, text/plain"))
    assert.strictEqual(three("\"text/csv, text/plain"), "application/json")
  })

  it("knows that everything is UTF-8 unless it says otherwise", () => {
    assert.strictEqual(choose(["application/json"])("application/json; charset=UTF-8"), "application/json")
    assert.isUndefined(choose(["application/json"])("application/json; charset=iso-8859-1"))
    assert.strictEqual(
      choose(["text/csv;charset=iso-8859-1", "text/csv"])("text/csv;charset=utf-8"),
      "text/csv"
    )
    const negotiate = Negotiation.make({ types: ["text/csv"] })
    const charset = (value: string) => negotiate({ "accept-charset": value })?.type
    assert.strictEqual(charset("iso-8859-5, utf-8;q=0.1"), "text/csv")
    assert.strictEqual(charset("*"), "text/csv")
    assert.isUndefined(charset("iso-8859-5"))
    assert.isUndefined(charset("utf-8;q=0, *"))
    // Another offer in a charset that will do goes before none.
    const two = Negotiation.make({ types: ["text/csv;charset=iso-8859-1", "text/csv"] })
    assert.strictEqual(two({ "accept-charset": "utf-8" })?.type, "text/csv")
    assert.strictEqual(two({ accept: "text/csv", "accept-charset": "utf-8" })?.type, "text/csv")
  })

  it("reads what Java's own client sends", () => {
    assert.strictEqual(three("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"), "application/json")
  })

  it("ends in time that grows with the length, not faster", () => {
    const long = (one: string) => one.repeat(Math.floor(16_000 / one.length))
    for (
      const accept of [
        long("a/b;c=\"\\\""),
        long("\""),
        long(";,"),
        long("a/b;q=0.1,"),
        long("\\\""),
        long("a/b;x=\"y,")
      ]
    ) {
      const start = performance.now()
      three(accept)
      assert.isBelow(performance.now() - start, 100, accept.slice(0, 10))
    }
  })

  // What is chosen is never worse than any other offer, by a reading of the header that shares no code with ours.
  it.prop(
    "never chooses what weighs less than another offer",
    [
      Schema.Array(
        Schema.Tuple([Schema.Literals(["a/a", "a/b", "b/a", "a/*", "b/*", "*/*"]), Schema.Literals([0, 0.25, 0.5, 1])])
      )
        .check(Schema.isMinLength(1))
    ],
    ([ranges]) => {
      const unique = ranges.filter(([range], index) => ranges.findIndex(([other]) => other === range) === index)
      const accept = unique.map(([range, q]) => `${range};q=${q}`).join(", ")
      const weight = (type: string) =>
        unique.find(([range]) => range === type)?.[1] ??
          unique.find(([range]) => range === `${type[0]}/*`)?.[1] ??
          unique.find(([range]) => range === "*/*")?.[1] ?? 0
      const offers = ["a/a", "a/b", "b/a"]
      const best = Math.max(...offers.map(weight))
      const expected = best === 0 ? undefined : offers.find((type) => weight(type) === best)
      assert.strictEqual(choose(offers)(accept), expected, accept)
    }
  )
})

describe("languages", () => {
  const negotiate = Negotiation.make({ languages: ["en", "de", "pt-BR"] })
  const language = (value: string) => negotiate({ "accept-language": value })?.language

  it("takes the best match, by prefix and by what a range begins with", () => {
    assert.strictEqual(language("de"), "de")
    assert.strictEqual(language("de-CH"), "de")
    assert.strictEqual(language("DE-ch, en;q=0.9"), "de")
    assert.strictEqual(language("pt"), "pt-BR")
    assert.strictEqual(language("pt-br;q=0.2, en;q=0.1"), "pt-BR")
    assert.strictEqual(language("fr, *;q=0.5, en;q=0"), "de")
    assert.strictEqual(language("de;q=0, *"), "en")
    // Who does not want Austrian German has said nothing of German.
    assert.strictEqual(language("de-AT;q=0, *;q=0.5, en;q=0.1"), "de")
    assert.strictEqual(language("en-US;q=0.3, en-GB;q=0.7, de;q=0.5"), "en")
  })

  it("never refuses: the first offered serves who asked for another", () => {
    for (const value of ["fr", "", "!!", "d", "deu"]) assert.strictEqual(language(value), "en", value)
    assert.isUndefined(Negotiation.make({})({ "accept-language": "de" })?.language)
  })
})

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/plain", HttpServerResponse.jsonUnsafe({})),
  HttpRouter.add("GET", "/raw/fails", HttpServerResponse.empty({ status: 404 })),
  HttpRouter.add("GET", "/docs", HttpServerResponse.html("<p>docs</p>")),
  HttpRouter.add(
    "GET",
    "/report",
    Effect.map(
      Negotiation.chosen({ type: "application/json", language: undefined }),
      ({ language, type }) =>
        type === "text/csv"
          ? HttpServerResponse.text(`a;${language}`, {
            contentType: "text/csv",
            headers: { "content-language": language ?? "" }
          })
          : HttpServerResponse.jsonUnsafe({ language })
    )
  ),
  HttpRouter.add(
    "POST",
    "/report",
    Effect.sync(() => {
      posted++
      return HttpServerResponse.empty()
    })
  )
)
let posted = 0
const live = ServerStack.serve(routes, {
  service: "x",
  negotiation: Negotiation.stage({
    offers: { "GET /report": { types: ["application/json", "text/csv"], languages: ["en", "de"] } }
  })
}).pipe(Layer.provide(tokens), Layer.provideMerge(listener))
const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  ask(path, { method, headers: { ...bearer, ...headers } })

describe("Negotiation", () => {
  it("refuses what is no media type or language when it is built", () => {
    for (const types of [[], ["json"], ["a/b/c"], ["a b/c"], [""]]) {
      assert.throws(() => Negotiation.stage({ offers: { "/a": types } }), InvalidOption.InvalidOption, "offers")
    }
    assert.throws(
      () => Negotiation.stage({ otherwise: { languages: ["en_US"] } }),
      InvalidOption.InvalidOption,
      "offers"
    )
  })

  layer(live, { excludeTestServices: true })((it) => {
    it.effect("hands the choice to the handler and tells caches what it depended on", () =>
      Effect.gen(function*() {
        const csv = yield* get("/report", { accept: "text/csv", "accept-language": "de-AT" })
        assert.deepStrictEqual([csv.status, csv.text], [200, "a;de"])
        assert.strictEqual(csv.headers["vary"], "Accept, Accept-Language")
        const json = yield* get("/report")
        assert.deepStrictEqual(json.body, { language: "en" })
        assert.strictEqual(json.headers["vary"], "Accept, Accept-Language")
        assert.isUndefined((yield* get("/plain")).headers["vary"])
      }))

    it.effect("answers 406 as a problem that lists what there is, before the handler", () =>
      Effect.gen(function*() {
        for (
          const [path, accept, offers] of [
            ["/report", "image/png", ["application/json", "text/csv"]],
            ["/plain", "text/html", ["application/json", "application/problem+json"]]
          ] as const
        ) {
          const answer = yield* get(path, { accept })
          assert.strictEqual(answer.status, 406)
          assert.strictEqual(answer.headers["content-type"], "application/problem+json")
          assert.deepInclude(answer.body, { type: "urn:problem:not-acceptable", stage: "Validation", offers })
        }
        const detailOf = (headers: Record<string, string>) =>
          Effect.map(get("/report", headers), ({ body, status }) => [status, body["detail"]])
        assert.deepStrictEqual(yield* detailOf({ accept: "image/png" }), [
          406,
          "There is application/json, text/csv: change Accept"
        ])
        assert.deepStrictEqual(yield* detailOf({ accept: "application/json;charset=iso-8859-1" }), [
          406,
          "There is application/json, text/csv: change Accept"
        ])
        for (const accept of ["*/*", "text/csv"]) {
          assert.deepStrictEqual(yield* detailOf({ accept, "accept-charset": "iso-8859-1" }), [
            406,
            "No charset of what there is will do: take UTF-8 in Accept-Charset, or leave it out"
          ])
        }
        assert.deepStrictEqual(yield* detailOf({ accept: "image/png", "accept-charset": "iso-8859-1" }), [
          406,
          "There is application/json, text/csv: change Accept"
        ])
        assert.strictEqual((yield* get("/report", { accept: "text/html" }, "POST")).status, 406)
        assert.strictEqual(posted, 0)
        assert.strictEqual((yield* get("/report", { accept: "text/html" }, "HEAD")).status, 406)
      }))

    it.effect("sends problems as problem+json whatever was asked, and leaves documentation alone", () =>
      Effect.gen(function*() {
        for (const path of ["/nowhere", "/raw/fails"]) {
          const answer = yield* get(path, { accept: path === "/nowhere" ? "text/html" : "application/json" })
          assert.deepStrictEqual([answer.status, answer.headers["content-type"]], [404, "application/problem+json"])
        }
        assert.strictEqual((yield* get("/docs", { accept: "text/html" })).status, 200)
        const nobody = yield* ask("/plain", { headers: { accept: "image/png" } })
        assert.strictEqual(nobody.status, 401)
      }))
  })
})
