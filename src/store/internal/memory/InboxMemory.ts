/** The inbox in the database of this process; its time is the `Clock`. */
import { Clock, HashMap } from "effect"
import type { Received } from "../../Inbox.ts"
import type { InboxBackend } from "../outbox/InboxBackend.ts"
import type { Database } from "./Database.ts"

export const make = (database: Database): InboxBackend => ({
  // Transactions run one at a time, so there is nobody to wait for here.
  record: (tenant, message) =>
    database.write((state, fiber) => {
      const key = keyOf(tenant, message)
      const millis = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      return HashMap.has(state.inbox, key)
        ? [false, state]
        : [true, { ...state, inbox: HashMap.set(state.inbox, key, millis) }]
    }),
  find: (tenant, message) => database.read((state) => HashMap.has(state.inbox, keyOf(tenant, message))),
  remove: (tenant, message) =>
    database.write((state) => {
      const key = keyOf(tenant, message)
      return HashMap.has(state.inbox, key)
        ? [true, { ...state, inbox: HashMap.remove(state.inbox, key) }]
        : [false, state]
    }),
  prune: (millis) =>
    database.write((state, fiber) => {
      const before = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() - millis
      const inbox = HashMap.filter(state.inbox, (at) => at > before)
      return [HashMap.size(state.inbox) - HashMap.size(inbox), { ...state, inbox }]
    })
})

const keyOf = (tenant: string, { id, source }: Received): string => JSON.stringify([tenant, source, id])
