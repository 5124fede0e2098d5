import { describe, it } from "@effect/vitest"
import { check } from "../../support.ts"
import { answers } from "./exercise.ts"

const expected = {
  lost: { layer: "Dns", evidence: ["error"], ask: "the name had no address, so how far can the request have come?" },
  heavy: {
    layer: "Proxy",
    evidence: ["body", "contentType"],
    ask:
      "the application can send 413 as well, and nginx puts its Server header on both; in which format would it speak?"
  },
  broken: {
    layer: "Proxy",
    evidence: ["body", "contentType"],
    ask:
      "a balancer signs its 502 with a name of its own, and an application can send 502, too, with nginx's Server header on it; whose name stands in the page itself, and in which format would the application speak?"
  },
  wrong: {
    layer: "Validation",
    evidence: ["body"],
    ask: "other layers of the application speak JSON, and some send 422; what does only this one know?"
  },
  missing: {
    layer: "Router",
    evidence: ["body"],
    ask: "a handler that finds no order sends 404 in JSON, too; what does only this layer say?"
  },
  slow: {
    layer: "Balancer",
    evidence: ["server"],
    ask: "nginx answers 504 in HTML as well; who puts its name only on answers of its own?"
  }
} as const

const names = Object.keys(expected) as Array<keyof typeof expected>

describe("a: each capture is given to the layer that spoke", () => {
  for (const name of names) {
    it(name, () => {
      check(answers[name].layer !== "todo", `"${name}" has no layer yet.`)
      check(
        answers[name].layer === expected[name].layer,
        `"${name}" was not spoken by ${answers[name].layer}. Look again: ${expected[name].ask}`
      )
    })
  }
})

describe("b: each evidence is the part that tells it apart from its neighbour", () => {
  for (const name of names) {
    it(name, () => {
      const { evidence, layer } = answers[name]
      check(evidence !== "todo", `"${name}" has no evidence yet.`)
      check(layer === expected[name].layer, `The evidence for "${name}" counts once its layer is right.`)
      check(
        expected[name].evidence.some((part) => part === evidence),
        `For "${name}", "${evidence}" does not decide. Ask: ${expected[name].ask}`
      )
    })
  }
})
