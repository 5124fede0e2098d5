import { Effect } from "effect"
import { HttpClientError, InvalidUrlError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { Attempt } from "../../resilience/Attempt.ts"
import { InvalidOption } from "../../resilience/InvalidOption.ts"

/** Where one attempt goes, and under which name its host is known to breaker, bulkhead and metrics. */
export interface Target {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Scheme, host and port. */
  readonly origin: string
}

export type BaseUrl =
  | string
  | URL
  | ((attempt: Attempt, request: HttpClientRequest.HttpClientRequest) => string | URL | Effect.Effect<string | URL>)

export type Locate = (
  attempt: Attempt,
  request: HttpClientRequest.HttpClientRequest
) => Target | Effect.Effect<Target, HttpClientError>

/** Absolute, of http or https, and without what would end up in the wrong place when a path is added. */
const usable = (base: string | URL): URL | undefined => {
  const url = URL.parse(String(base))
  return url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "" ? url : undefined
}

export const locator = (baseUrl: BaseUrl | undefined): Locate => {
  if (baseUrl === undefined) {
    return (_, request) => ({ request, origin: URL.parse(request.url)?.origin ?? "unknown" })
  }
  if (typeof baseUrl === "function") {
    return (attempt, request) => {
      const chosen = baseUrl(attempt, request)
      return Effect.isEffect(chosen)
        ? Effect.flatMap(chosen, (base) => effectOf(place(usable(base), base, request)))
        : place(usable(chosen), chosen, request)
    }
  }
  const url = usable(baseUrl)
  if (url === undefined) {
    throw new InvalidOption({
      module: "ClientStack.make",
      option: "baseUrl",
      value: String(baseUrl),
      allowed: "an absolute http: or https: URL without query and fragment"
    })
  }
  return (_, request) => place(url, baseUrl, request)
}

const effectOf = (target: Target | Effect.Effect<Target, HttpClientError>): Effect.Effect<Target, HttpClientError> =>
  Effect.isEffect(target) ? target : Effect.succeed(target)

const place = (
  base: URL | undefined,
  given: string | URL,
  request: HttpClientRequest.HttpClientRequest
): Target | Effect.Effect<Target, HttpClientError> => {
  if (base === undefined) return refuse(request, `the endpoint ${String(given)} is no absolute http: or https: URL`)
  // A whole URL here would take the stack's credentials and headers to another host.
  if (/^[a-z][a-z0-9+.-]*:/i.test(request.url)) {
    return refuse(request, "the client has a base address: give the request a path, not a whole URL")
  }
  const start = base.href.endsWith("/") ? base.href.slice(0, -1) : base.href
  const join = request.url === "" || request.url.startsWith("?") || request.url.startsWith("/") ? "" : "/"
  return { request: HttpClientRequest.updateUrl(request, (path) => start + join + path), origin: base.origin }
}

const refuse = (request: HttpClientRequest.HttpClientRequest, description: string) =>
  Effect.fail(new HttpClientError({ reason: new InvalidUrlError({ request, description }) }))
