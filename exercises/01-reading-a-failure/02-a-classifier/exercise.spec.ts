import { describe, it } from "@effect/vitest"
import { Stage } from "effect-lifecycle/lifecycle"
import * as Diagnosis from "effect-lifecycle/lifecycle/Diagnosis"
import { check } from "../../support.ts"
import { type Capture, type Detail, type Kind, type Layer, make, seen } from "./captures.ts"
import { diagnose, secondOpinion } from "./exercise.ts"

const names: ReadonlyArray<unknown> = [...Stage.StageName.literals, "unknown"]

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 160 ? `${text.slice(0, 160)}...` : text
}

const ask = (classify: (capture: Capture) => Layer, capture: Capture): Layer => {
  try {
    return classify(capture)
  } catch (error) {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    throw new Error(`It must answer whatever it is given, but it threw ${what} for ${show(capture)}.`, { cause: error })
  }
}

const why: Record<Kind, string> = {
  "name not resolved": "there is no status at all, so the client's own words decide",
  "connection refused": "there is no status at all, so the client's own words decide",
  "certificate expired": "there is no status at all: the handshake failed before a request was sent",
  "silence": "the connection may have failed, or the answer may be slow; the capture does not say",
  "404 of the proxy": "the body is HTML with nginx's signature, and the application only speaks JSON",
  "404 of the router": "the body is the application's JSON and names its stage; nginx only passed it on",
  "408 of the server": "no body and nobody's signature: Node's HTTP server answers like that by itself",
  "499 in the proxy's log":
    "nginx writes 499 into its log when the client has left: the answer found nobody on its way back",
  "503 of the balancer": "the Server header is the balancer's, and it signs only answers of its own",
  "503 of a middleware": "the body is the application's JSON and names its stage",
  "500 of the proxy": "the body is HTML with nginx's signature, and the application only speaks JSON",
  "500 of the handler": "the body is the application's JSON and names its stage"
}

describe("a: the twelve captures of this file", () => {
  for (const { capture, kind, layer } of seen) {
    it(kind, () => {
      const answer = ask(diagnose, capture)
      check(answer === layer, `"${kind}" belongs to ${layer}, not ${answer}: ${why[kind]}.`)
    })
  }
})

describe("b: twenty captures it has not seen", () => {
  const hosts = ["shop.example", "api.eu-2.test", "xn--bcher-kva.test", "10.0.0.7", "stage-router.test"]
  const casings: ReadonlyArray<Detail["casing"]> = [
    (header) => header.toUpperCase(),
    (header) => header.replace(/(^|-)./g, (start) => start.toUpperCase()),
    (header) => header
  ]
  for (let index = 0; index < 20; index++) {
    const kind = seen[(index * 7 + 4) % seen.length]!.kind
    const detail = { host: hosts[index % 5]!, id: `a${index * 37}-f`, casing: casings[index % 3]! }
    it(`${index + 1}`, () => {
      const { capture, layer } = make(kind, detail)
      const answer = ask(diagnose, capture)
      check(answer === layer, `Another "${kind}", ${show(capture)}, was answered with ${answer}: ${why[kind]}.`)
    })
  }
})

const odd: ReadonlyArray<readonly [string, Capture, Layer | undefined]> = [
  ["nothing at all", {}, "unknown"],
  ["an empty error", { error: "" }, "unknown"],
  ["a bare 500", { status: 500 }, "unknown"],
  ["a 404 without headers or body", { status: 404 }, "unknown"],
  [
    "JSON that is cut off",
    { status: 500, headers: { "content-type": "application/problem+json" }, body: "{\"sta" },
    undefined
  ],
  ["JSON null", { status: 500, headers: { "content-type": "application/json" }, body: "null" }, undefined],
  ["a JSON array", { status: 404, headers: { "Content-Type": "application/json" }, body: "[1]" }, undefined],
  [
    "a stage that does not exist",
    { status: 500, headers: { "content-type": "application/problem+json" }, body: "{\"stage\":\"Basement\"}" },
    undefined
  ],
  [
    "a stage that is no text",
    { status: 500, headers: { "content-type": "application/problem+json" }, body: "{\"stage\":{\"a\":1}}" },
    undefined
  ],
  [
    "a 503 in HTML without a signature",
    { status: 503, headers: { "content-type": "text/html" }, body: "<p>" },
    undefined
  ]
]

describe("c: it answers for anything, and says unknown only where nobody could know", () => {
  for (const [name, capture, layer] of odd) {
    it(name, () => {
      const answer = ask(diagnose, capture)
      check(names.includes(answer), `For ${name}, ${show(answer)} is neither a stage nor "unknown".`)
      if (layer !== undefined) {
        check(answer === layer, `From ${name} nobody could know the layer, but it says ${answer}.`)
      }
    })
  }

  it("everything else is decided", () => {
    const given = seen.filter(({ capture, layer }) => layer !== "unknown" && ask(diagnose, capture) === "unknown")
    check(given.length === 0, `"${given[0]?.kind}" can be decided: ${given[0] && why[given[0].kind]}.`)
  })
})

describe("d: the library's Diagnosis gives a second opinion", () => {
  const library = (evidence: Diagnosis.Evidence): Layer => {
    const { verdict } = Diagnosis.diagnose(evidence)
    return verdict === "undecided" ? "unknown" : verdict
  }

  const said = [
    "curl: (6) Could not resolve host: orders.shop.test",
    "curl: (35) TLS connect error: error:0A00010B:SSL routines::wrong version number",
    "curl: (28) Operation timed out after 5001 milliseconds with 0 bytes received"
  ]
  for (const text of said) {
    it(text.slice(0, 10), () => {
      const answer = ask(secondOpinion, { error: text })
      const expected = library({ _tag: "Curl", text })
      check(answer === expected, `The library says ${expected} to "${text}", but secondOpinion says ${answer}.`)
    })
  }

  const envoy = "upstream connect error or disconnect/reset before headers. reset reason: connection failure"
  const answers: ReadonlyArray<readonly [number, Record<string, string>, string | undefined]> = [
    ...seen.flatMap(({ capture }) =>
      capture.status === undefined ? [] : [[capture.status, capture.headers ?? {}, capture.body] as const]
    ),
    [503, { "content-type": "text/plain", server: "envoy" }, envoy],
    [404, {}, undefined]
  ]
  for (const [status, headers, body] of answers) {
    it(`${status} ${headers["server"] ?? ""} ${headers["content-type"] ?? ""}`, () => {
      const answer = ask(secondOpinion, { status, headers, ...(body === undefined ? {} : { body }) })
      const expected = library({ _tag: "Response", status, headers, body })
      check(answer === expected, `The library says ${expected} to ${show({ status, headers, body })}, not ${answer}.`)
    })
  }

  it("without headers", () => {
    const expected = library({ _tag: "Response", status: 504, headers: {} })
    const answer = ask(secondOpinion, { status: 504 })
    check(answer === expected, `The library says ${expected} to a bare 504, but secondOpinion says ${answer}.`)
  })
})
