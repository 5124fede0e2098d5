/** What can be wrong with personal data. */
import { Schema } from "effect"

/**
 * The subject of personal data was shredded, so nothing more can be stored about it.
 *
 * @category errors
 * @since 0.1.0
 */
export class SubjectShredded extends Schema.TaggedError<SubjectShredded>()("SubjectShredded", {
  subject: Schema.String
}) {
  override get message(): string {
    return `The personal data of subject "${this.subject}" was erased, and no more can be stored. Use a new subject id`
  }
}

/**
 * Personal data that does not open, though nobody shredded it: its key or master key is not there, or it was changed or
 * moved.
 *
 * @category errors
 * @since 0.1.0
 */
export class PersonalDataUnreadable extends Schema.TaggedError<PersonalDataUnreadable>()("PersonalDataUnreadable", {
  subject: Schema.String,
  /** Stream, version and type of the event, or what else holds the data. */
  place: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Personal data of subject "${this.subject}" (${this.place}) cannot be read: ${this.reason}`
  }
}
