import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { fileNames } from "../../src/workbook/internal/fileNames.ts"

const folded = (name: string): string => name.normalize("NFKC").toUpperCase()

describe("fileNames", () => {
  it("leaves a name alone that is safe and nobody else's", () => {
    for (const name of ["ada", "Ada Lovelace (2)", "Zoë", "अनिता"]) {
      assert.strictEqual(fileNames([name, "somebody"]).get(name), name)
    }
  })

  it("marks all whose names would meet, in the same way whoever else is there", () => {
    const names = fileNames(["a+b", "a@b", "ada"])
    assert.match(names.get("a+b") ?? "", /^a_b-[\da-f]{6}$/)
    assert.match(names.get("a@b") ?? "", /^a_b-[\da-f]{6}$/)
    assert.notStrictEqual(names.get("a+b"), names.get("a@b"))
    assert.strictEqual(names.get("ada"), "ada")
    assert.strictEqual(fileNames(["a@b", "ben", "a b", "a+b"]).get("a+b"), names.get("a+b"))
  })

  it("keeps names apart that differ in case, or in how a letter is composed", () => {
    for (const pair of [["Ada", "ada"], ["Straße", "STRASSE"], ["Zo\u00eb", "Zoe\u0308"]]) {
      assert.strictEqual(new Set([...fileNames(pair).values()].map(folded)).size, 2, pair.join())
    }
  })

  it("gives no name of a device, none that begins or ends with a dot, and none that is too long", () => {
    assert.strictEqual(fileNames(["con"]).get("con"), "_con")
    assert.strictEqual(fileNames(["ada."]).get("ada."), "ada_")
    assert.strictEqual(fileNames([".."]).get(".."), "_")
    assert.strictEqual(fileNames([""]).get(""), "_")
    const long = [`${"漢".repeat(80)}1`, `${"漢".repeat(80)}2`]
    const names = [...fileNames(long).values()]
    assert.strictEqual(new Set(names).size, 2)
    for (const name of names) assert.isAtMost(Buffer.byteLength(`${name}.html`), 255)
  })

  it("tells halves of a pair apart that stand alone", () => {
    assert.strictEqual(new Set(fileNames(["\ud800", "\ud802"]).values()).size, 2)
  })

  it.prop("gives every learner a name that is safe and nobody else's", [Schema.Array(Schema.String)], ([given]) => {
    const learners = [...new Set([...given, "a_b", "A_B", "a+b", ...fileNames(["a+b", "a_b"]).values()])]
    const names = [...fileNames(learners).values()]
    assert.strictEqual(names.length, learners.length)
    assert.strictEqual(new Set(names.map(folded)).size, names.length)
    for (const name of names) assert.match(name, /^[^./\\<>:"|?*]([^/\\<>:"|?*]*[^. /\\<>:"|?*])?$/)
  })
})
