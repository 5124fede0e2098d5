import { Schema, SchemaTransformation } from "effect"
import { DomainEvent } from "effect-lifecycle/domain"
import { PersonalData } from "effect-lifecycle/store"

const V1 = Schema.Struct({ name: Schema.String })
const V2 = Schema.Struct({ first: Schema.String, last: Schema.String })
const V3 = { first: Schema.String, last: Schema.String, at: Schema.Date }

// each step gives what the next one takes, with values decoded
DomainEvent.make("Named", {
  version: 3,
  schema: V3,
  upcast: {
    1: { from: V1, to: ({ name }) => ({ first: name, last: "" }) },
    2: { from: V2, to: (old) => ({ ...old, at: new Date(0) }) }
  }
})
// the version may be counted from the steps
DomainEvent.make("Named", { schema: V3, upcast: { 1: { from: V2, to: (old) => ({ ...old, at: new Date(0) }) } } })

DomainEvent.make("Named", {
  version: 3,
  schema: V3,
  // @ts-expect-error version 2 has a `last` too
  upcast: {
    1: { from: V1, to: ({ name }) => ({ first: name }) },
    2: { from: V2, to: (old) => ({ ...old, at: new Date(0) }) }
  }
})
DomainEvent.make("Named", {
  version: 2,
  schema: V3,
  // @ts-expect-error `at` is a Date in a value of the event, not its JSON
  upcast: { 1: { from: V2, to: (old) => ({ ...old, at: "1970-01-01T00:00:00.000Z" }) } }
})
DomainEvent.make("Named", {
  version: 2,
  schema: V3,
  // @ts-expect-error version 1 has no `last`
  upcast: { 1: { from: V1, to: (old) => ({ first: old.name, last: old.last, at: new Date(0) }) } }
})
DomainEvent.make("Named", {
  version: 3,
  schema: V3,
  // @ts-expect-error step 1 leads to version 2, which has no step and is not the newest
  upcast: { 1: { from: V2, to: (old) => ({ ...old, at: new Date(0) }) } }
})
DomainEvent.make("Named", {
  version: 2,
  schema: V3,
  // @ts-expect-error a function alone does not say what it takes
  upcast: { 1: (old: { readonly name: string }) => ({ first: old.name, last: "", at: new Date(0) }) }
})

// a transformation is a step, and is checked at both ends
const split = V1.pipe(Schema.decodeTo(
  Schema.Struct({ first: Schema.String, last: Schema.String }),
  SchemaTransformation.transform({
    decode: ({ name }) => ({ first: name, last: "" }),
    encode: ({ first }) => ({ name: first })
  })
))
DomainEvent.make("Named", { version: 2, schema: { first: Schema.String, last: Schema.String }, upcast: { 1: split } })
DomainEvent.make("Named", {
  version: 3,
  schema: V3,
  upcast: { 1: split, 2: { from: V2, to: (old) => ({ ...old, at: new Date(0) }) } }
})
DomainEvent.make("Named", {
  version: 2,
  schema: V3,
  // @ts-expect-error it does not lead to a value with `at`
  upcast: { 1: split }
})
DomainEvent.make("Named", {
  version: 3,
  schema: V3,
  // @ts-expect-error version 2 is what the transformation of step 2 begins with
  upcast: {
    1: { from: V2, to: (old) => ({ full: old.first }) },
    2: V1.pipe(Schema.decodeTo(
      Schema.Struct({ first: Schema.String, last: Schema.String, at: Schema.Date }),
      SchemaTransformation.transform({
        decode: ({ name }) => ({ first: name, last: "", at: new Date(0) }),
        encode: ({ first }) => ({ name: first })
      })
    ))
  }
})

// what can be shredded says so in its type
const Registered = DomainEvent.make("Registered", { schema: { email: PersonalData.personal(Schema.String) } })
declare const registered: DomainEvent.Value<typeof Registered>
export const email: string | PersonalData.Shredded = registered.email
// @ts-expect-error it may be gone
export const plain: string = registered.email

// and asks for what can open it
export const needed: DomainEvent.Services<typeof Registered> extends PersonalData.PersonalData ? true : never = true
const Counted = DomainEvent.make("Counted", { schema: { by: Schema.Int, any: Schema.Unknown } })
export const none: [DomainEvent.Services<typeof Counted>] extends [never] ? true : never = true
