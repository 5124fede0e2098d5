/** A language that lacks a sentence, or says it with other things in it, does not compile. */
import { de } from "../../src/cli/messages/de.ts"
import type { Messages } from "../../src/cli/messages/Messages.ts"

const { hint: _, ...rest } = de

// @ts-expect-error "hint" is missing
export const missing: Messages = rest

export const more: Messages = {
  ...de,
  // @ts-expect-error nobody gives it a third thing
  noTask: (id: string, task: string, tasks: string, more: string) => id + task + tasks + more
}
