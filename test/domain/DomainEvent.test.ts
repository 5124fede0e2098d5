import { assert, describe, it } from "@effect/vitest"
import { Result, Schema, SchemaTransformation } from "effect"
import { DomainEvent } from "effect-lifecycle/domain"

const Named = DomainEvent.make("Named", {
  version: 3,
  schema: { first: Schema.String, last: Schema.String, at: Schema.Date },
  upcast: {
    1: Schema.Struct({ name: Schema.String }).pipe(Schema.decodeTo(
      Schema.Struct({ first: Schema.String, last: Schema.String }),
      SchemaTransformation.transform({
        decode: ({ name }) => {
          const [first = "", ...rest] = name.split("|")
          return { first, last: rest.join("|") }
        },
        encode: ({ first, last }) => ({ name: `${first}|${last}` })
      })
    )),
    2: {
      from: Schema.Struct({ first: Schema.String, last: Schema.String }),
      to: (old) => ({ ...old, at: new Date(0) })
    }
  }
})

const Empty = Schema.Struct({})

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
    assert.include(Result.getOrThrow(Result.flip(decoded("text", 1))).message, "version 1 does not fit its schema")
  })

  it("refuses a definition with a missing upcaster or a bad version", () => {
    assert.throws(
      () => DomainEvent.make("A", { version: 3 as number, schema: {}, upcast: { 1: { from: Empty, to: () => ({}) } } }),
      /upcast\[2\] must be a step from version 2 to 3, got nothing/
    )
    assert.throws(
      () => DomainEvent.make("A", { version: 1 as number, schema: {}, upcast: { 1: { from: Empty, to: () => ({}) } } }),
      /upcast\[1\] must be absent: the newest version is 1/
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

  it("refuses stored fields that their version does not know, and drops them where asked to", () => {
    const data = { first: "Ada", last: "Lovelace", at: "1970-01-01T00:00:00.000Z", role: "admin" }
    assert.include(Result.getOrThrow(Result.flip(decoded(data, 3))).message, "role")
    assert.include(Result.getOrThrow(Result.flip(decoded({ name: "Ada", role: "admin" }, 1))).message, "role")
    const Loose = DomainEvent.make("Named", { schema: { first: Schema.String }, unknownFields: "drop" })
    assert.deepStrictEqual(
      Loose.decode({ type: "Named", schemaVersion: 1, data: { first: "Ada", role: "admin" } }),
      Result.succeed(Loose.make({ first: "Ada" }))
    )
  })

  it("refuses unknown fields at any depth, of fields of any kind", () => {
    const Placed = DomainEvent.make("Placed", {
      schema: {
        by: Schema.optionalKey(Schema.Union([Schema.String, Schema.Null])),
        lines: Schema.Array(Schema.Struct({ sku: Schema.String })),
        labels: Schema.Record(Schema.String, Schema.Struct({ n: Schema.Int }))
      }
    })
    const Flat = DomainEvent.make("Flat", {
      schema: { n: Schema.optionalKey(Schema.Number), at: Schema.Date, kind: Schema.Literals(["a", "b"]) }
    })
    const placed = { lines: [{ sku: "x" }], labels: { a: { n: 1 } } }
    const flat = { at: "1970-01-01T00:00:00.000Z", kind: "a" }
    const reason = (event: DomainEvent.Any, data: unknown) => {
      const read = event.decode({ type: event.type, schemaVersion: 1, data })
      return Result.isSuccess(read) ? "read" : read.failure.message
    }
    assert.strictEqual(reason(Placed, placed), "read")
    assert.include(reason(Placed, { ...placed, more: 1 }), "more")
    assert.include(reason(Placed, { ...placed, lines: [{ sku: "x", inLine: 1 }] }), "inLine")
    assert.include(reason(Placed, { ...placed, labels: { a: { n: 1, inLabel: 1 } } }), "inLabel")
    assert.strictEqual(reason(Flat, flat), "read")
    assert.strictEqual(reason(Flat, { ...flat, n: 1 }), "read")
    assert.include(reason(Flat, { ...flat, more: 1 }), "more")
    assert.include(reason(Flat, { ...flat, kind: "c" }), "kind")
    for (const data of [null, undefined, 1, "text", []]) assert.notStrictEqual(reason(Flat, data), "read")
  })

  it("counts its version from its steps", () => {
    const Counted = DomainEvent.make("Counted", {
      schema: { by: Schema.Int },
      upcast: { 1: { from: Empty, to: () => ({ by: 1 }) } }
    })
    assert.strictEqual(Counted.version, 2)
    assert.deepStrictEqual(
      Counted.decode({ type: "Counted", schemaVersion: 1, data: {} }),
      Result.succeed(Counted.make({ by: 1 }))
    )
  })

  it("refuses a step that throws, and one whose result breaks a check of the schema", () => {
    const make = (to: () => { readonly by: number }) =>
      DomainEvent.make("Counted", {
        version: 2,
        schema: { by: Schema.Int.check(Schema.isGreaterThan(0)) },
        upcast: { 1: { from: Empty, to } }
      }).decode({ type: "Counted", schemaVersion: 1, data: {} })
    assert.include(Result.getOrThrow(Result.flip(make(() => ({ by: -1 })))).message, "version 1 does not fit")
    const thrown = make(() => {
      throw new Error("no idea")
    })
    assert.include(Result.getOrThrow(Result.flip(thrown)).message, "no idea")
  })

  it("runs a function after a transformation and a transformation after a function", () => {
    const Dated = Schema.Struct({ at: Schema.Date })
    const Millis = Schema.Struct({ at: Schema.Int })
    const toMillis = Dated.pipe(Schema.decodeTo(
      Millis,
      SchemaTransformation.transform({
        decode: ({ at }) => ({ at: at.getTime() }),
        encode: ({ at }) => ({ at: new Date(at) })
      })
    ))
    const At = DomainEvent.make("At", {
      version: 4,
      schema: { seconds: Schema.Int },
      upcast: {
        1: { from: Schema.Struct({ when: Schema.Date }), to: ({ when }) => ({ at: when }) },
        2: toMillis,
        3: { from: Millis, to: ({ at }) => ({ seconds: at / 1000 }) }
      }
    })
    const read = (schemaVersion: number, data: unknown) => At.decode({ type: "At", schemaVersion, data })
    const expected = Result.succeed(At.make({ seconds: 2 }))
    assert.deepStrictEqual(read(1, { when: "1970-01-01T00:00:02.000Z" }), expected)
    assert.deepStrictEqual(read(2, { at: "1970-01-01T00:00:02.000Z" }), expected)
    assert.deepStrictEqual(read(3, { at: 2000 }), expected)
    assert.deepStrictEqual(read(4, { seconds: 2 }), expected)
  })
})
