/** What is kept of a failure in a row. */
import { Cause } from "effect"

/** Says whose failure it is, and fits into a row. */
export const reasonOf = (subject: string, cause: Cause.Cause<unknown>): string =>
  `${subject}: ${pretty(cause)}`.replaceAll("\0", "").toWellFormed().slice(0, 4000).toWellFormed()

/** What was thrown can be anything, also something that throws when it is looked at. */
const pretty = (cause: Cause.Cause<unknown>): string => {
  try {
    return Cause.pretty(cause)
  } catch {
    return "a failure that cannot be shown"
  }
}
