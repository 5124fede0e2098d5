/** What is wrong with an export, or with the place that it should go to. */
import { Schema } from "effect"

/**
 * The file cannot be read as an export.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidExport extends Schema.TaggedError<InvalidExport>()("InvalidExport", {
  /** From 1 on; 0 when it is about the whole. */
  line: Schema.Int,
  problem: Schema.String
}) {
  override get message(): string {
    return this.line === 0 ? `The export is refused: ${this.problem}` : `Line ${this.line} is refused: ${this.problem}`
  }
}

/**
 * There is something where the export should go.
 *
 * @category errors
 * @since 0.1.0
 */
export class SchemaNotEmpty extends Schema.TaggedError<SchemaNotEmpty>()("SchemaNotEmpty", { schema: Schema.String }) {
  override get message(): string {
    return `The schema "${this.schema}" is not empty, and an import changes nothing that is there: name a schema that does not exist yet, or drop this one first`
  }
}
