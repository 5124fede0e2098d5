import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { DomainEvent } from "effect-lifecycle/domain"

const Named = DomainEvent.make("Named", {
  version: 3,
  schema: { first: Schema.String, last: Schema.String, at: Schema.Date },
  upcast: {
    1: (old) => {
      const [first, ...rest] = String(old["name"]).split("|")
      return { first, last: rest.join("|") }
    },
    2: (old) => ({ ...old, at: "1970-01-01T00:00:00.000Z" })
  }
})

const decoded = (data: unknown, schemaVersion: number) => Named.decode({ type: "Named", schemaVersion, data })

describe("DomainEvent", () => {
  it("stores its fields as JSON under its type and version, without the tag", () => {
    const event = Named.make({ first: "Ada", last: "Lovelace", at: new Date(0) })
    assert.deepStrictEqual(Result.getOrThrow(Named.encode(event)), {
      type: "Named",
      schemaVersion: 3,
      data: { first: "Ada", last: "Lovelace", at: "1970-01-01T00:00:00.000Z" }
    })
  })

  it.prop(
    "reads back what it stored",
    {
      first: Schema.String,
      last: Schema.String,
      millis: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e12 }))
    },
    ({ first, last, millis }) => {
      const event = Named.make({ first, last, at: new Date(millis) })
      const { data } = Result.getOrThrow(Named.encode(event))
      assert.deepStrictEqual(Result.getOrThrow(decoded(JSON.parse(JSON.stringify(data)), 3)), event)
    }
  )

  it.prop(
    "reads an event of any older version as the current one",
    { first: Schema.String.check(Schema.isPattern(/^[^|]*$/)), last: Schema.String },
    ({ first, last }) => {
      const current = Result.succeed(Named.make({ first, last, at: new Date(0) }))
      assert.deepStrictEqual(decoded({ name: `${first}|${last}` }, 1), current)
      assert.deepStrictEqual(decoded({ first, last }, 2), current)
      assert.deepStrictEqual(decoded({ first, last, at: "1970-01-01T00:00:00.000Z" }, 3), current)
    }
  )

  it("names an unknown version and an unknown type", () => {
    for (const version of [0, 4, 1.5, -1]) {
      const failure = Result.getOrThrow(Result.flip(decoded({}, version)))
      assert.strictEqual(failure._tag, "UnknownEvent")
      assert.include(failure.message, `Unknown version ${version} of event "Named" (known: 1 to 3)`)
    }
    const other = Result.getOrThrow(Result.flip(Named.decode({ type: "Other", schemaVersion: 1, data: {} })))
    assert.include(other.message, "Unknown event type \"Other\"")
  })

  it("says which field does not fit, and when an old version is not an object", () => {
    const failure = Result.getOrThrow(Result.flip(decoded({ first: "Ada" }, 3)))
    assert.strictEqual(failure._tag, "InvalidEvent")
    assert.include(failure.message, "last")
    assert.include(Result.getOrThrow(Result.flip(decoded("text", 1))).message, "version 1 is not an object")
  })

  it("refuses a definition with a missing upcaster or a bad version", () => {
    assert.throws(
      () => DomainEvent.make("A", { version: 3, schema: {}, upcast: { 1: (old) => old } }),
      /upcast\[2\] must be a function from version 2 to 3, got nothing/
    )
    assert.throws(
      () => DomainEvent.make("A", { version: 0, schema: {} }),
      /version must be a whole number from 1, got 0/
    )
    assert.throws(() => DomainEvent.make("", { schema: {} }), /type must be a name/)
  })

  it("refuses a value that does not fit", () => {
    assert.throws(() => Named.make({ first: 1 as never, last: "", at: new Date(0) }))
  })
})
