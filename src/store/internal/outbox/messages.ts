/** Checks messages and brings them into the form that every layer stores. */
import type { Fiber } from "effect"
import { currentOf } from "../../EventMeta.ts"
import { InvalidMessage, type NewMessage } from "../../Outbox.ts"
import * as Tenant from "../../Tenant.ts"
import { millisOf } from "../duration.ts"
import type { PreparedMessage } from "./OutboxBackend.ts"
import { isStorable } from "../text.ts"
import { uuid } from "../uuid.ts"

const longest = 255

export const prepareMessage = (
  message: NewMessage,
  fiber: Fiber.Fiber<unknown, unknown>
): PreparedMessage | InvalidMessage => {
  const { delay = 0, key, topic } = message
  const id = message.id ?? uuid(fiber)
  const problem = nameProblem("id", id) ?? nameProblem("topic", topic) ??
    (key === undefined ? undefined : nameProblem("key", key))
  if (problem !== undefined) return problem
  const payload = jsonText(message.payload)
  if (payload === undefined) return invalid("payload", "is not a JSON value")
  const headers = jsonText({ ...currentOf(fiber), ...message.headers })
  if (headers === undefined) return invalid("headers", "is not a record of strings")
  return { id, tenant: fiber.getRef(Tenant.Current), topic, key, payload, headers, delayMillis: millisOf(delay) }
}

const invalid = (field: string, reason: string): InvalidMessage => new InvalidMessage({ field, reason })

const nameProblem = (field: string, name: string): InvalidMessage | undefined => {
  if (name === "") return invalid(field, "is empty")
  if (name.length > longest) return invalid(field, `is longer than ${longest} characters`)
  return isStorable(name) ? undefined : invalid(field, "holds a character that cannot be stored")
}

const jsonText = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value === undefined ? null : value)
  } catch {
    return undefined // a cycle or a bigint
  }
}
