/** Names of schemas that need no quoting rules to be understood. */
import { InvalidOption } from "../../../resilience/InvalidOption.ts"

export const invalidSchema = (module: string, schema: string): InvalidOption | undefined =>
  /^[a-z_][a-z0-9_]{0,47}$/.test(schema) && !schema.startsWith("pg_") ? undefined : new InvalidOption({
    module,
    option: "schema",
    value: JSON.stringify(schema),
    allowed: "1 to 48 lower case letters, digits and underscores, not starting with a digit or pg_"
  })
