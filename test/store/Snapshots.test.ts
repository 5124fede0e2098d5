import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Snapshots } from "effect-lifecycle/store"

const { fingerprint } = Snapshots

class Money extends Schema.Class<Money>("Money")({ cents: Schema.Int }) {}
interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  name: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree)).annotate({ title: "children" })
}).annotate({ identifier: "Tree" })

const Base = Schema.Struct({ a: Schema.String, b: Schema.Int, c: Schema.optionalKey(Schema.Date) })

describe("Snapshots.fingerprint", () => {
  it("is the same in every process: a change of this text is a change of what programs find", () => {
    assert.strictEqual(fingerprint(Base), "cfa871defd66add10744c81ee1d1853a")
    assert.strictEqual(fingerprint(Tree), "344a7f862bf9bfed7939ddf433659eb7")
  })

  it("does not change with annotations, messages, identifiers and the order of fields", () => {
    const same = [
      Base.annotate({ title: "Base", description: "a state", identifier: "Base" }),
      Schema.Struct({ c: Schema.optionalKey(Schema.Date), b: Schema.Int, a: Schema.String }),
      Schema.Struct({
        a: Schema.String.annotate({ description: "text", examples: ["x"] }),
        b: Schema.Number.check(Schema.isInt({ message: "whole, please" })),
        c: Schema.optionalKey(Schema.Date.annotate({ title: "when" }))
      })
    ]
    for (const schema of same) assert.strictEqual(fingerprint(schema), fingerprint(Base))
    const renamed = Schema.Struct({
      one: Schema.String.annotate({ identifier: "X" }),
      two: Schema.String.annotate({ identifier: "X" })
    })
    const plain = Schema.Struct({ two: Schema.String, one: Schema.String })
    assert.strictEqual(fingerprint(renamed), fingerprint(plain))
  })

  it("changes with everything that changes the shape", () => {
    const { a, b, c } = Base.fields
    const others = [
      Base,
      Schema.Struct({ a, b }),
      Schema.Struct({ a, b, c, d: Schema.String }),
      Schema.Struct({ a, b, c: Schema.Date }),
      Schema.Struct({ a, b, c: Schema.optionalKey(Schema.String) }),
      Schema.Struct({ a, b: Schema.Finite, c }),
      Schema.Struct({ a, b: Schema.Int.check(Schema.isGreaterThan(0)), c }),
      Schema.Struct({ a, b: Schema.Int.check(Schema.isGreaterThan(1)), c }),
      Schema.Struct({ a, b: Schema.FiniteFromString, c }),
      Schema.Struct({ a: Schema.NullOr(a), b, c }),
      Schema.Struct({ a: Schema.Literals(["x", "y"]), b, c }),
      Schema.Struct({ a: Schema.Literals(["x", "z"]), b, c }),
      Schema.Struct({ a: Schema.Array(a), b, c }),
      Schema.Struct({ a: Schema.Tuple([a]), b, c }),
      Schema.Struct({ a: Schema.Record(a, b), b, c }),
      Schema.Struct({ a: Schema.Option(a), b, c }),
      Schema.Struct({ a: Money, b, c }),
      Schema.Struct({ a: Tree, b, c }),
      Schema.Struct({ A: a, b, c })
    ]
    const all = others.map((schema) => fingerprint(schema))
    assert.strictEqual(new Set(all).size, all.length)
    assert.notStrictEqual(fingerprint(Base, ["1"]), fingerprint(Base))
    assert.notStrictEqual(fingerprint(Base, ["1"]), fingerprint(Base, ["2"]))
  })

  it("tells a definition that is used twice from two that are alike, and knows recursion", () => {
    const leaf = Schema.Struct({ name: Schema.String, children: Schema.Array(Schema.String) })
    assert.notStrictEqual(fingerprint(Tree), fingerprint(leaf))
    assert.strictEqual(fingerprint(Tree), fingerprint(Tree.annotate({ description: "a tree" })))
    assert.strictEqual(
      fingerprint(Schema.Struct({ one: Tree, two: Tree })),
      fingerprint(Schema.Struct({ two: Tree.annotate({ title: "the second" }), one: Tree }))
    )
    assert.notStrictEqual(fingerprint(Schema.Struct({ one: Tree })), fingerprint(Schema.Struct({ one: leaf })))
  })
})
