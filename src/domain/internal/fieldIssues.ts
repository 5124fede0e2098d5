import { SchemaIssue } from "effect"
import type { InvalidPayload } from "../DomainError.ts"

type FieldIssue = InvalidPayload["issues"][number]

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** What is wrong with a payload, field by field; `place` is where in a request over HTTP it stood. */
export const fieldIssues = (issue: SchemaIssue.Issue, place?: FieldIssue["in"]): ReadonlyArray<FieldIssue> =>
  format(issue).issues.map(({ message, path = [] }) => ({
    pointer: pointer(path),
    ...(place === undefined ? {} : { in: place }),
    message
  }))

const pointer = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>): string =>
  path.map((segment) => `/${escape(String(typeof segment === "object" ? segment.key : segment))}`).join("")

const escape = (segment: string): string => segment.replaceAll("~", "~0").replaceAll("/", "~1")
