// fails: d - does not tell caches what the answer depends on
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { forms } from "../report.ts"
import { choose } from "../solution.ts"

export { choose } from "../solution.ts"

export const answer: Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  HttpServerRequest.HttpServerRequest
> = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  const form = choose(request.headers["accept"], forms)
  return form === undefined
    ? HttpServerResponse.text(forms.map(({ type }) => type).join(", "), { status: 406 })
    : HttpServerResponse.text(form.body, { contentType: form.type })
})
