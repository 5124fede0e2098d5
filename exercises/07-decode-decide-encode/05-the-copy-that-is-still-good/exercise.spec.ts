import * as NodeHttpPlatform from "@effect/platform-node/NodeHttpPlatform"
import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Authentication, ServerStack } from "effect-lifecycle/server"
import { brotliDecompressSync, gunzipSync } from "node:zlib"
import { type Answer, type Client, open } from "../../serve.ts"
import { check } from "../../support.ts"
import * as Cache from "./cache.ts"
import { routes, stages } from "./exercise.ts"
import { languages, Prices, types, write } from "./prices.ts"

const nobody = Layer.succeed(Authentication.Authenticator, { authenticate: () => Effect.die("nobody signs in") })

type Headers = Readonly<Record<string, string>>

/** A shop, without and with a cache in front of it. */
const shop = Effect.gen(function*() {
  const prices = yield* Effect.provide(Prices, Prices.layer)
  const client: Client = yield* open(
    ServerStack.serve(routes, stages).pipe(
      Layer.provide([Layer.succeed(Prices, prices), nobody, NodeHttpPlatform.layer])
    )
  )
  let asked = 0
  const get: Cache.Get<Answer> = (path, headers) =>
    Effect.suspend(() => {
      asked++
      return client({ path, headers })
    })
  return {
    prices,
    get: (headers: Headers = {}) => get("/prices", headers),
    head: (headers: Headers = {}) => client({ path: "/prices", headers, method: "HEAD" }),
    cached: ((cache) => (headers: Headers) => cache("/prices", headers))(Cache.make(get)),
    asked: () => asked
  }
})

const shown = (headers: Headers): string =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join("; ") || "no header"

const expectStatus = ({ status }: Answer, expected: number, headers: Headers, why: string): void =>
  check(status === expected, `With ${shown(headers)} the status must be ${expected}, ${why}. It is ${status}.`)

const textOf = ({ bytes, headers }: Answer): string => {
  const coding = headers["content-encoding"]
  const plain = coding === "br" ? brotliDecompressSync(bytes) : coding === "gzip" ? gunzipSync(bytes) : bytes
  return new TextDecoder().decode(plain)
}

/** Which of the six an answer is. */
const formOf = (answer: Answer, list: Parameters<typeof write>[2]): string => {
  const text = textOf(answer)
  for (const type of types) {
    for (const language of languages) if (text === write(type, language, list)) return `${type} in ${language}`
  }
  return "nothing that write makes of this version"
}

const expectForm = Effect.fnUntraced(function*(
  { prices }: Effect.Success<typeof shop>,
  answer: Answer,
  headers: Headers,
  expected: string
) {
  const seen = formOf(answer, yield* prices.current)
  check(seen === expected, `With ${shown(headers)} the body must be ${expected}, and it is ${seen}.`)
})

const names = (header: string | undefined): ReadonlyArray<string> =>
  (header ?? "").toLowerCase().split(/\s*,\s*/).filter(Boolean)

const identity = { "accept-encoding": "identity" }

/** All six, by the most exact question for each. */
const six = types.flatMap((type) => languages.map((language) => ({ accept: type, "accept-language": language })))

describe("a: who asks for nothing gets JSON", () => {
  it.effect("without a header", () =>
    Effect.gen(function*() {
      const one = yield* shop
      const answer = yield* one.get()
      expectStatus(answer, 200, {}, "since whoever does not ask takes what there is")
      yield* expectForm(one, answer, {}, "application/json in en")
    }))
})

describe("b: everybody gets the form and the language they ask for", () => {
  const cases: ReadonlyArray<readonly [accept: string, language: string, expected: string]> = [
    ["text/csv", "en", "text/csv in en"],
    ["text/html, text/*;q=0.5", "de", "text/html in de"],
    ["application/json;q=0.5, text/*;q=0.9", "de-AT, en;q=0.5", "text/csv in de"],
    ["text/csv;q=0, */*;q=0.1", "en;q=0.4, de;q=0.6", "application/json in de"],
    ["text/csv;q=0.3, text/html;q=0.31", "de;q=0, en", "text/html in en"],
    ["*/*", "fr", "application/json in en"],
    ["nonsense, text/csv", "en-GB", "text/csv in en"]
  ]
  for (const [accept, language, expected] of cases) {
    it.effect(`${accept} and ${language}`, () =>
      Effect.gen(function*() {
        const headers = { accept, "accept-language": language }
        const one = yield* shop
        const answer = yield* one.get(headers)
        expectStatus(answer, 200, headers, "since there is a form that will do")
        yield* expectForm(one, answer, headers, expected)
        const [type, written] = expected.split(" in ")
        check(
          answer.headers["content-type"]?.split(";")[0] === type,
          `With ${shown(headers)} the Content-Type must be ${type}, and it is ${answer.headers["content-type"]}.`
        )
        check(
          answer.headers["content-language"] === written,
          `The body is written in ${written}, and its Content-Language is ${answer.headers["content-language"]}.`
        )
      }))
  }

  it.effect("nothing that there is", () =>
    Effect.gen(function*() {
      const headers = { accept: "video/mp4, text/csv;q=0" }
      const answer = yield* (yield* shop).get(headers)
      expectStatus(answer, 406, headers, "since none of the forms will do")
      check(types.every((type) => answer.body.includes(type)), `A 406 lists the forms there are: ${answer.body}.`)
    }))
})

describe("c: whoever has a good copy gets 304 and no body", () => {
  it.effect("the same ETag", () =>
    Effect.gen(function*() {
      const { get } = yield* shop
      for (const headers of six) {
        const first = yield* get(headers)
        const etag = first.headers["etag"] ?? "nothing"
        check(
          /^"[^"]+"$/.test(etag),
          `With ${shown(headers)} the ETag must be strong and in quotes, and it is ${etag}.`
        )
        const control = first.headers["cache-control"]
        check(
          control === "no-cache",
          `A copy may be kept, and is asked about each time: Cache-Control: no-cache. It is ${control ?? "nothing"}.`
        )
        check((yield* get(headers)).headers["etag"] === etag, "As long as nothing changes, the ETag stays as it is.")
        for (const sent of [etag, `"other", ${etag}`, `W/${etag}`, "*"]) {
          const asked = { ...headers, "if-none-match": sent }
          const again = yield* get(asked)
          expectStatus(again, 304, asked, "since this copy is still good")
          check(again.bytes.length === 0, "A 304 has no body: the client has it.")
          check(
            again.headers["etag"] === etag,
            `A 304 says which copy is good. Its ETag must be ${etag}, and it is ${again.headers["etag"] ?? "nothing"}.`
          )
          check(again.headers["cache-control"] === "no-cache", "A 304 says again how long its copy may be used.")
        }
        const stranger = { ...headers, "if-none-match": "\"other\"" }
        expectStatus(yield* get(stranger), 200, stranger, "since nobody has this copy")
      }
    }))

  it.effect("after a change", () =>
    Effect.gen(function*() {
      const one = yield* shop
      for (const [n, headers] of six.entries()) {
        const asked = { ...headers, "if-none-match": (yield* one.get(headers)).headers["etag"] ?? "\"none\"" }
        yield* one.prices.change("book-3", 100 + n)
        const answer = yield* one.get(asked)
        expectStatus(answer, 200, asked, "since a price has changed")
        yield* expectForm(one, answer, asked, `${headers.accept} in ${headers["accept-language"]}`)
      }
    }))

  it.effect("HEAD is GET without a body", () =>
    Effect.gen(function*() {
      const { get, head } = yield* shop
      for (const headers of six) {
        const [full, bare] = [yield* get(headers), yield* head(headers)]
        expectStatus(bare, 200, headers, "to HEAD as to GET")
        check(bare.bytes.length === 0, "An answer to HEAD has no body.")
        for (const name of ["etag", "vary", "cache-control", "content-language"]) {
          check(
            full.headers[name] !== undefined && bare.headers[name] === full.headers[name],
            `HEAD has the headers of GET. ${name}: ${bare.headers[name]} instead of ${full.headers[name]}.`
          )
        }
        const asked = { ...headers, "if-none-match": full.headers["etag"] ?? "" }
        expectStatus(yield* head(asked), 304, asked, "to HEAD as to GET")
      }
    }))
})

describe("d: behind a shared cache nobody gets what somebody else asked for", () => {
  it.effect("six forms, six ETags", () =>
    Effect.gen(function*() {
      const { get } = yield* shop
      const known = new Map<string, string>()
      for (const headers of six) {
        const { headers: { etag } } = yield* get({ ...headers, ...identity })
        check(etag !== undefined, `With ${shown(headers)} the answer has no ETag.`)
        const before = known.get(etag)
        check(
          before === undefined,
          `The ETag ${etag} is that of two bodies: of ${before}, and of ${headers.accept} in ${
            headers["accept-language"]
          }.`
        )
        known.set(etag, `${headers.accept} in ${headers["accept-language"]}`)
      }
    }))

  it.effect("each their own", () =>
    Effect.gen(function*() {
      const one = yield* shop
      for (let round = 0; round < 3; round++) {
        for (const headers of [...six, ...six.toReversed()]) {
          const answer = yield* one.cached({ ...headers, ...identity })
          yield* expectForm(one, answer, headers, `${headers.accept} in ${headers["accept-language"]}`)
        }
        yield* one.prices.change("book-7", 100 + round)
      }
      check(one.asked() === 36, `The cache asks each time whether its copy is good: 36 times, and not ${one.asked()}.`)
    }))

  it.effect("what the choice depends on", () =>
    Effect.gen(function*() {
      const { get } = yield* shop
      for (const headers of [{}, { accept: "text/csv" }, { accept: "video/mp4" }]) {
        const vary = names((yield* get(headers)).headers["vary"])
        for (const name of ["accept", "accept-language"]) {
          check(
            vary.includes(name),
            `With ${shown(headers)} the answer depends on ${name}, and Vary says ${vary.join(", ") || "nothing"}.`
          )
        }
      }
    }))
})

describe("e: a packed form is a representation of its own", () => {
  for (const [coding, asks] of [["br", "gzip;q=0.5, br"], ["gzip", "gzip"]] as const) {
    it.effect(`packed with ${coding}`, () =>
      Effect.gen(function*() {
        const one = yield* shop
        for (const form of six) {
          const headers = { ...form, "accept-encoding": asks }
          const packed = yield* one.get(headers)
          const plain = yield* one.get({ ...form, ...identity })
          check(
            packed.headers["content-encoding"] === coding,
            `With ${shown(headers)} the body must be packed with ${coding}, and its Content-Encoding is ${
              packed.headers["content-encoding"] ?? "nothing"
            }.`
          )
          check(
            packed.bytes.length < plain.bytes.length,
            `Packed it has ${packed.bytes.length} bytes and else ${plain.bytes.length}.`
          )
          yield* expectForm(one, packed, headers, `${form.accept} in ${form["accept-language"]}`)
          const etag = packed.headers["etag"] ?? "nothing"
          check(
            /^"[^"]+"$/.test(etag) && etag !== plain.headers["etag"],
            `Other bytes have another strong ETag. Packed it is ${etag}, and else ${plain.headers["etag"]}.`
          )
          for (const { headers: { vary } } of [packed, plain]) {
            check(
              names(vary).includes("accept-encoding"),
              `Whether it is packed depends on Accept-Encoding, and Vary says ${vary ?? "nothing"}.`
            )
          }
          const asked = { ...headers, "if-none-match": etag }
          expectStatus(yield* one.get(asked), 304, asked, "since this packed copy is still good")
          const unpacked = { ...form, ...identity, "if-none-match": etag }
          expectStatus(
            yield* one.get(unpacked),
            200,
            unpacked,
            "since that copy is packed, and this client cannot unpack"
          )
        }
      }))
  }

  it.effect("through the cache", () =>
    Effect.gen(function*() {
      const one = yield* shop
      for (let round = 0; round < 2; round++) {
        for (const form of six) {
          for (const asks of ["br", "identity", "gzip"]) {
            const headers = { ...form, "accept-encoding": asks }
            const answer = yield* one.cached(headers)
            yield* expectForm(one, answer, headers, `${form.accept} in ${form["accept-language"]}`)
            const coding = answer.headers["content-encoding"] ?? "identity"
            check(coding === asks, `With ${shown(headers)} the cache hands out a body in ${coding}.`)
          }
        }
      }
    }))
})
