import { Effect, Schema, SchemaIssue } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Fault, NewOrder } from "./order.ts"

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const escaped = (segment: PropertyKey | { readonly key: PropertyKey }): string =>
  String(typeof segment === "object" ? segment.key : segment).replaceAll("~", "~0").replaceAll("/", "~1")

export const faultsOf = (error: Schema.SchemaError): ReadonlyArray<Fault> =>
  format(error.issue).issues.map(({ message, path = [] }) => ({
    pointer: path.map((segment) => `/${escaped(segment)}`).join(""),
    detail: message
  }))

const problem = (status: number, title: string, rest: object = {}): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe({ title, status, ...rest }, { status, contentType: "application/problem+json" })

export const create = (
  place: (order: NewOrder) => Effect.Effect<string>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  HttpServerRequest.schemaBodyJson(NewOrder, { errors: "all" }).pipe(
    Effect.flatMap(place),
    Effect.map((id) => HttpServerResponse.jsonUnsafe({ id }, { status: 201 })),
    Effect.catch((error) =>
      Effect.succeed(
        Schema.isSchemaError(error)
          ? problem(422, "The order is not valid", { errors: faultsOf(error) })
          : problem(400, "The body is not valid JSON")
      )
    )
  )
