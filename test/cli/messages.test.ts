import { assert, describe, it } from "@effect/vitest"
import { choose, codes, languages } from "../../src/cli/messages/Messages.ts"
import { fragments, says, textsOf } from "./english.ts"

describe("the messages", () => {
  it("are all there in each language, and none is empty", () => {
    const keys = [...textsOf(languages.en).keys()]
    assert.isAbove(keys.length, 120)
    for (const code of codes) {
      const texts = textsOf(languages[code])
      assert.deepStrictEqual([...texts.keys()], keys)
      for (const [key, text] of texts) assert.isNotEmpty(text.trim(), `${code}, ${key}`)
    }
  })

  it("put the same things into their sentences", () => {
    const marks = (text: string): number => text.split("¤").length - 1
    const [en, de] = [textsOf(languages.en), textsOf(languages.de)]
    for (const [key, text] of en) assert.strictEqual(marks(de.get(key) ?? ""), marks(text), key)
  })

  it("are translated: no two words of English stand in another language", () => {
    const de = [...textsOf(languages.de).values()].join("\n")
    const pairs = [...textsOf(languages.en).values()].flatMap(fragments).filter((part) => /\p{L} \p{L}/u.test(part))
    assert.isAbove(pairs.length, 100)
    assert.deepStrictEqual(pairs.filter((part) => says(de, part)), [])
  })

  it("name the same keys of the keyboard in the same order", () => {
    const letters = (keys: ReadonlyArray<string>): ReadonlyArray<string> =>
      keys.map((one) => one.split(" ")[0] ?? "").filter((one) => one.length === 1)
    assert.deepStrictEqual(letters(languages.de.keysAlways), letters(languages.en.keysAlways))
    assert.deepStrictEqual(letters(languages.de.keysList), letters(languages.en.keysList))
  })

  it("are chosen by the flag, then by the environment, and are English otherwise", () => {
    assert.strictEqual(choose("de", { LANG: "en_GB.UTF-8" }), languages.de)
    assert.strictEqual(choose(undefined, { LEARN_LANG: "de", LC_ALL: "en_GB" }), languages.de)
    assert.strictEqual(choose(undefined, { LC_ALL: "de_AT.UTF-8", LANG: "en" }), languages.de)
    assert.strictEqual(choose(undefined, { LC_ALL: "", LC_MESSAGES: "de-CH", LANG: "en" }), languages.de)
    assert.strictEqual(choose(undefined, { LC_ALL: "C", LANG: "de_DE" }), languages.en)
    for (const env of [{}, { LANG: "fr_FR" }, { LANG: "dev" }]) assert.strictEqual(choose(undefined, env), languages.en)
  })
})
