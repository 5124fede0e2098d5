import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Redacted, Result, Schema } from "effect"
import { DomainEvent } from "effect-lifecycle/domain"
import { MemoryStore, PersonalData } from "effect-lifecycle/store"
import { master, personalContract } from "./personalContract.ts"

personalContract("MemoryStore", MemoryStore.layer)

const build = <E>(layer: Layer.Layer<PersonalData.PersonalData, E, Layer.Success<typeof MemoryStore.layer>>) =>
  Effect.scoped(Layer.build(Layer.provide(layer, MemoryStore.layer)))

describe("PersonalData", () => {
  it.effect("refuses master keys that are none, without showing them", () =>
    Effect.gen(function*() {
      for (const text of ["", "secret", "id=c2hvcnQ=", `${master("a", 1)} ${master("a", 2)}`, "=AAAA"]) {
        const error = yield* Effect.flip(build(PersonalData.layer({ masterKeys: Redacted.make(text) })))
        assert.strictEqual(error._tag, "InvalidOption")
        assert.include(error.message, "masterKeys")
        assert.notInclude(error.message, "secret")
        assert.notInclude(error.message, "c2hvcnQ")
      }
      const capacity = PersonalData.layer({ masterKeys: Redacted.make(master("a", 1)), capacity: 0 })
      assert.include((yield* Effect.flip(build(capacity))).message, "capacity")
    }))
  it.effect("takes its master keys from configuration", () =>
    build(PersonalData.layerConfig({ masterKeys: Config.Redacted("PERSONAL_DATA_KEYS") })).pipe(
      Effect.provide(
        ConfigProvider.layer(ConfigProvider.fromUnknown({ PERSONAL_DATA_KEYS: `${master("b", 2)}, ${master("a", 1)}` }))
      )
    ))
  it("refuses a definition whose subject is no plain field, and a field of the reserved name", () => {
    const email = PersonalData.personal(Schema.String, "userId")
    assert.throws(() => DomainEvent.make("A", { schema: { email } }), /schema.email must be about a subject named by/)
    assert.throws(
      () => DomainEvent.make("A", { schema: { userId: PersonalData.personal(Schema.String), email } }),
      /schema.email must be/
    )
    assert.throws(() => DomainEvent.make("A", { schema: { $personal: Schema.String } }), /it is reserved/)
  })
  it("does not put values that do not fit into the reason", () => {
    const Named = DomainEvent.make("Named", { schema: { age: PersonalData.personal(Schema.Int) } })
    const error = Result.getOrThrow(
      Result.flip(Named.decode({ type: "Named", schemaVersion: 1, data: { age: "Ada Lovelace" } }))
    )
    assert.notInclude(error.message, "Ada")
    assert.include(error.message, "age")
  })
  it("tells shredded values from others", () => {
    assert.isTrue(PersonalData.isShredded({ _tag: "Shredded", subject: "u-1" }))
    assert.isFalse(PersonalData.isShredded("u-1"))
  })
})
