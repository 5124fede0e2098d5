/** What a request is answered that does not decode: which of its fields is wrong, as `Mediator` says it of a payload. */
import { Context, Effect, Option, Schema, SchemaAST } from "effect"
import { HttpServerRespondable, HttpServerResponse } from "effect/http"
import { HttpApiError, HttpApiMiddleware } from "effect/http-api"
import { InvalidPayload } from "../../DomainError.ts"
import { fieldIssues } from "../fieldIssues.ts"
import { Served, statusOf } from "./api.ts"

export class Undecodable extends HttpApiMiddleware.Service<Undecodable>()("effect-lifecycle/domain/Undecodable") {}

const places = { Params: "path", Query: "query", Headers: "header", Payload: undefined } as const

/** Still the error of `effect`, for servers that have their own answer to it; with one for those that have none. */
class Explained extends HttpApiError.HttpApiSchemaError {
  readonly #answer: Effect.Effect<HttpServerResponse.HttpServerResponse>
  constructor(error: HttpApiError.HttpApiSchemaError, answer: Effect.Effect<HttpServerResponse.HttpServerResponse>) {
    super(error)
    this.#answer = answer
  }
  override [HttpServerRespondable.symbol]() {
    return this.#answer
  }
}

export const layer = HttpApiMiddleware.layerSchemaErrorTransform(Undecodable, (error, { endpoint }) => {
  const served = Context.getOption(endpoint.annotations as Context.Context<Served>, Served)
  if (Option.isNone(served) || error.kind === "Body" || error.kind === "ResponseHeaders") return Effect.fail(error)
  const { definition, invalid } = served.value
  const issues = fieldIssues(error.cause.issue, places[error.kind])
  return Effect.fail(new Explained(error, answerOf(invalid, new InvalidPayload({ name: definition._tag, issues }))))
})

/** As the endpoint declares it. */
const answerOf = (
  declared: Schema.Top,
  invalid: InvalidPayload
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  const status = statusOf(declared) ?? 400
  const encoding = SchemaAST.resolveAt<{ readonly contentType: string }>("~httpApiEncoding")(declared.ast)
  // Errors that are declared for HTTP need nothing to be encoded.
  const json = Schema.toCodecJson(declared as Schema.Codec<unknown, unknown>)
  return HttpServerResponse.schemaJson(json)(invalid, { status }).pipe(
    Effect.map((response) =>
      encoding === undefined ? response : HttpServerResponse.setHeader(response, "content-type", encoding.contentType)
    ),
    Effect.orDie
  )
}
