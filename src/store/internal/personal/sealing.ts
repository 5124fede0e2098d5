/** The parts of an event's data that are sealed: before, on the way, and as they are stored. */
import type { StoredEvent } from "../../EventStore.ts"

export type Fields = Readonly<Record<string, unknown>>

/** Which fields are personal, and which field names the person; `undefined` is the stream's id. */
export interface Plan {
  readonly type: string
  readonly subjects: ReadonlyMap<string, string | undefined>
}

/**
 * Data that still has its personal fields in plain text. It has no JSON form, so a store refuses it: forgetting to seal
 * is an error and never a leak.
 */
export class Unsealed {
  readonly plan: Plan
  readonly fields: Fields
  constructor(plan: Plan, fields: Fields) {
    this.plan = plan
    this.fields = fields
  }
  toJSON(): never {
    throw new Error(`"${this.plan.type}" has personal fields that are not sealed; pass it through PersonalData.seal`)
  }
}

/** The fields of one person, encrypted together. */
export interface Part {
  readonly alg: "A256GCM"
  readonly subject: string
  readonly fields: ReadonlyArray<string>
  readonly nonce: string
  readonly text: string
}

/** A field of this name holds the sealed parts; events have no such field of their own. */
export const reserved = "$personal"

export const partsOf = (data: unknown): ReadonlyArray<Part> | undefined => {
  if (typeof data !== "object" || data === null || !Object.hasOwn(data, reserved)) return undefined
  const parts: unknown = (data as Fields)[reserved]
  return Array.isArray(parts) && parts.every(isPart) ? parts : []
}

const isPart = (part: unknown): part is Part => {
  if (typeof part !== "object" || part === null) return false
  const { alg, fields, nonce, subject, text } = part as Fields
  return alg === "A256GCM" && typeof subject === "string" && typeof nonce === "string" && typeof text === "string" &&
    Array.isArray(fields) && fields.every((field) => typeof field === "string")
}

/** A value that says that the data is gone, as it is stored and as programs see it. */
export const shredded = (subject: string): { readonly _tag: "Shredded"; readonly subject: string } => ({
  _tag: "Shredded",
  subject
})

const isShreddedJson = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "Shredded" && "subject" in value &&
  typeof value.subject === "string" && Object.keys(value).length === 2

/** The fields to encrypt, by subject, and the rest. A field that is shredded already holds no plain text. */
export const split = (
  { fields, plan }: Unsealed,
  streamId: string
): { readonly plain: Fields; readonly secret: ReadonlyMap<string, Fields> } => {
  const plain: Record<string, unknown> = {}
  const secret = new Map<string, Record<string, unknown>>()
  for (const [name, value] of Object.entries(fields)) {
    if (!plan.subjects.has(name) || isShreddedJson(value)) {
      plain[name] = value
      continue
    }
    const field = plan.subjects.get(name)
    const subject = field === undefined ? streamId : String(fields[field])
    const of = secret.get(subject) ?? {}
    of[name] = value
    secret.set(subject, of)
  }
  return { plain, secret }
}

/** What a part of an event is bound to: it opens at this place only, and with these names only. */
export const bindingOf = (
  stream: StoredEvent["stream"],
  event: { readonly id: string; readonly type: string; readonly schemaVersion: number },
  subject: string,
  fields: ReadonlyArray<string>
): string =>
  JSON.stringify([
    "event",
    stream.tenant,
    stream.category,
    stream.id,
    event.id,
    event.type,
    event.schemaVersion,
    subject,
    fields
  ])
