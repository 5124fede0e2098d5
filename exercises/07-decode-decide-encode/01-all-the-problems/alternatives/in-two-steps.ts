import { Effect, Exit, Schema, SchemaIssue } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Fault, NewOrder } from "../order.ts"

/** A JSON pointer, one part after the other: RFC 6901. */
const pointerTo = (path: ReadonlyArray<unknown>): string => {
  let pointer = ""
  for (const part of path) {
    const name = typeof part === "object" && part !== null && "key" in part ? part.key : part
    pointer += "/" + String(name).split("~").join("~0").split("/").join("~1")
  }
  return pointer
}

export const faultsOf = ({ issue }: Schema.SchemaError): ReadonlyArray<Fault> => {
  const faults: Array<Fault> = []
  const inWords = SchemaIssue.makeFormatterStandardSchemaV1()
  for (const { message, path } of inWords(issue).issues) {
    faults.push({ pointer: pointerTo(path ?? []), detail: message })
  }
  return faults
}

/** The text of a problem document is written here, and its type is said beside it. */
const refuse = (
  document: { readonly status: number; readonly title: string; readonly errors?: ReadonlyArray<Fault> }
) =>
  HttpServerResponse.text(JSON.stringify(document), {
    status: document.status,
    contentType: "application/problem+json"
  })

export const create = (
  place: (order: NewOrder) => Effect.Effect<string>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const body = yield* Effect.exit(request.json)
    if (Exit.isFailure(body)) return refuse({ status: 400, title: "This is not JSON" })
    const order = yield* Effect.exit(Schema.decodeUnknownEffect(NewOrder, { errors: "all" })(body.value))
    if (Exit.isSuccess(order)) return HttpServerResponse.jsonUnsafe({ id: yield* place(order.value) }, { status: 201 })
    const error = Exit.findErrorOption(order)
    return error._tag === "Some"
      ? refuse({ status: 422, title: "Some fields do not fit", errors: faultsOf(error.value) })
      : yield* Effect.failCause(order.cause)
  }).pipe(Effect.orDie)
