/**
 * From a row of the table to the document that is sent.
 */
import { Predicate, Schema, SchemaAST } from "effect"
import { HttpServerResponse } from "effect/http"
import type { StageName } from "../../lifecycle/Stage.ts"
import type * as Exchange from "../Exchange.ts"
import type { Problem, Row } from "../Problems.ts"

export const contentType = "application/problem+json"

export const tagOf = (error: unknown): string | undefined =>
  Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : undefined

/** The tag that values of an error class carry. */
export const tagOfSchema = (schema: Schema.Top): string => {
  const fields: unknown = Predicate.hasProperty(schema, "fields") ? schema.fields : undefined
  const tag = Predicate.hasProperty(fields, "_tag") && Schema.isSchema(fields._tag) ? fields._tag.ast : undefined
  if (tag !== undefined && SchemaAST.isLiteral(tag) && typeof tag.literal === "string") return tag.literal
  throw new Error("Only an error class made with Schema.TaggedError can be declared: this schema has no `_tag` field")
}

export const typeOf = (tag: string, row: Row): string =>
  row.type ?? `urn:problem:${tag.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase()}`

export const fromRow = (tag: string, row: Row, error: unknown): Problem => {
  // The row belongs to this tag, so its functions take this error.
  const subject = error as never
  const detail = row.detail?.(subject)
  return {
    status: row.status,
    stage: row.stage ?? "Handler",
    headers: row.headers?.(subject) ?? {},
    document: {
      type: typeOf(tag, row),
      title: row.title,
      status: row.status,
      ...(detail === undefined ? {} : { detail }),
      ...row.extensions?.(subject)
    }
  }
}

export const make = (
  options: {
    readonly tag: string
    readonly status: number
    readonly title: string
    readonly stage: StageName
    readonly detail?: string | undefined
    readonly extensions?: Readonly<Record<string, unknown>> | undefined
    readonly headers?: Readonly<Record<string, string>> | undefined
  }
): Problem =>
  fromRow(options.tag, {
    status: options.status,
    title: options.title,
    stage: options.stage,
    detail: () => options.detail,
    ...(options.extensions === undefined ? {} : { extensions: () => options.extensions ?? {} }),
    ...(options.headers === undefined ? {} : { headers: () => options.headers ?? {} })
  }, undefined)

/** The document with the request's id, and the exchange told who answered. */
export const complete = (problem: Problem, exchange: Exchange.State): Readonly<Record<string, unknown>> => {
  exchange.answeredBy = problem.stage
  exchange.answerHeaders = undefined
  Object.assign(exchange.headers, problem.headers)
  const { detail, status, title, type, ...extensions } = problem.document
  return {
    type,
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
    instance: `urn:request:${exchange.requestId}`,
    requestId: exchange.requestId,
    stage: problem.stage,
    ...extensions
  }
}

export const respond = (problem: Problem, exchange: Exchange.State): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(complete(problem, exchange), { status: problem.status, contentType })

/** What an endpoint's description says about a row. */
export const schemaOf = (tag: string, row: Row) =>
  Schema.StructWithRest(
    Schema.Struct({
      type: Schema.Literal(typeOf(tag, row)),
      title: Schema.String,
      status: Schema.Literal(row.status),
      detail: Schema.optionalKey(Schema.String),
      instance: Schema.optionalKey(Schema.String),
      requestId: Schema.optionalKey(Schema.String),
      stage: Schema.optionalKey(Schema.String)
    }),
    [Schema.Record(Schema.String, Schema.Unknown)]
  ) as unknown as Schema.Codec<Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>>
