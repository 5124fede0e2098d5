/**
 * Who is asking: reads the bearer token, asks the {@link Authenticator} whose it is, and hands the {@link CurrentUser}
 * inwards. Without a token, or with one that nobody knows, the answer is 401 with `WWW-Authenticate`.
 *
 * It stands around routes, so an unknown path is 404 and a wrong method 405 whoever asks. Routes named by `exempt` run as
 * {@link anonymous}. What a token is good for is `Scopes`; other rights are the application's own: fail with
 * {@link Forbidden}.
 *
 * {@link layerTokens} compares in time that depends on the length of the tokens only, never on how much of one is right.
 *
 * **Gotchas**
 *
 * - The user's id reaches logs. The token does not: it travels as `Redacted`.
 * - `layerTokens` is for development and for services among themselves. For people, write an `Authenticator`.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Authentication } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const tokens = Authentication.layerTokens(Redacted.make("token123:alice,token456:bob"))
 * const whose = (token: string) =>
 *   Authentication.Authenticator.use((_) => _.authenticate(Redacted.make(token))).pipe(Effect.provide(tokens))
 *
 * assert.equal((await Effect.runPromise(whose("token456"))).id, "bob")
 * assert.equal((await Effect.runPromise(Effect.flip(whose("guess"))))._tag, "Unauthorized")
 * ```
 *
 * @since 0.1.0
 */
import { Config, Context, Effect, Layer, Redacted, Schema } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import * as Exchange from "./Exchange.ts"
import { isScope } from "./internal/scopeName.ts"
import * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * Somebody who was recognised.
 *
 * @category models
 * @since 0.1.0
 */
export interface Principal {
  readonly id: string
  /** Nobody in particular: a route that asks for no token. */
  readonly anonymous?: boolean | undefined
  /** What an authenticator knows beyond the id, for the application's own rules. */
  readonly roles?: ReadonlyArray<string> | undefined
  /** What the caller's token is good for. See `Scopes`. */
  readonly scopes?: ReadonlyArray<string> | undefined
}

/**
 * The principal of routes that need none.
 *
 * @category constants
 * @since 0.1.0
 */
export const anonymous: Principal = { id: "anonymous", anonymous: true }

/**
 * The caller of the running request.
 *
 * @category services
 * @since 0.1.0
 */
export class CurrentUser extends Context.Service<CurrentUser, Principal>()("effect-lifecycle/server/CurrentUser") {}

/**
 * Nobody was recognised.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {
  reason: Schema.String,
  /** The value of `WWW-Authenticate`. */
  challenge: Schema.String
}) {
  override get message(): string {
    return `${this.reason}: send a valid token in the Authorization header`
  }
}

/**
 * The caller is known and may not do this.
 *
 * @category errors
 * @since 0.1.0
 */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", {}) {
  override get message(): string {
    return "The caller may not do this: ask for the right, or use another account"
  }
}

/**
 * The list of tokens could not be read. It names the entry by its place and shows none of it.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidTokens extends Schema.TaggedError<InvalidTokens>()("InvalidTokens", {
  /** Of the entry, from 1. */
  position: Schema.Int,
  /** What the list is called, such as `LIFECYCLE_TOKENS`. */
  source: Schema.optionalKey(Schema.String),
  /** The place of the entry with the same token, where that is what is wrong. */
  repeats: Schema.optionalKey(Schema.Int)
}) {
  override get message(): string {
    const { position, repeats, source } = this
    const entry = `Entry ${position} of the token list${source === undefined ? "" : ` ${source}`}`
    return repeats === undefined
      ? `${entry} is neither "token:user" nor "token:user:scopes": write entries such as ` +
        "token123:alice or token123:alice:orders.read+orders.write, separated by commas"
      : `${entry} has the token of entry ${repeats}: give every entry a token of its own, or one of them would never count`
  }
}

/**
 * Knows whose a token is. It may fail with any error that the `Problems` table knows, such as a store that is away.
 *
 * @category services
 * @since 0.1.0
 */
export class Authenticator extends Context.Service<Authenticator, {
  readonly authenticate: (
    token: Redacted.Redacted
  ) => Effect.Effect<Principal, Unauthorized | { readonly _tag: string }>
}>()("effect-lifecycle/server/Authenticator") {}

const invalidToken = "Bearer error=\"invalid_token\""

/**
 * What a refusal calls the list of tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokensOptions {
  /** The variable or option that the list came from, such as `LIFECYCLE_TOKENS`. */
  readonly source?: string | undefined
}

/**
 * An authenticator over a fixed list, `token123:alice,token456:bob`. A third part names the scopes of a token, joined by
 * plus signs: `token123:alice:orders.read+orders.write`. A token that stands there twice is refused: only one of the two
 * users could ever be meant.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTokens = (
  tokens: Redacted.Redacted,
  options: TokensOptions = {}
): Layer.Layer<Authenticator, InvalidTokens> =>
  Layer.effect(Authenticator, Effect.map(parseTokens(tokens, options.source), fromEntries))

/**
 * {@link layerTokens} from configuration: `layerTokensConfig("LIFECYCLE_TOKENS")`. A refusal names the variable; for a
 * `Config` of your own say with `source` what it is called.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTokensConfig = (
  config: string | Config.Config<Redacted.Redacted>,
  options: TokensOptions = {}
): Layer.Layer<Authenticator, InvalidTokens | Config.ConfigError> => {
  const isName = typeof config === "string"
  const source = options.source ?? (isName ? config : undefined)
  return Layer.effect(
    Authenticator,
    Effect.flatMap(
      isName ? Config.Redacted(config) : config,
      (tokens) => Effect.map(parseTokens(tokens, source), fromEntries)
    )
  )
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Routes without a token: templates such as `/docs` or `/docs/*`, with a method before it or without. Default `/docs`,
   * `/docs/*` and `/openapi.json`, of those that are there. Health and metrics never need one.
   */
  readonly exempt?: RouteMatch.Routes | undefined
}

/**
 * The stage. A name in `exempt` that no route has is refused when the server is built: it would open the route that gets
 * that name one day.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never, CurrentUser, Authenticator> => {
  const place = { module: "Authentication.stage", option: "exempt" }
  const isExempt = RouteMatch.make(options.exempt ?? ["/docs", "/docs/*", "/openapi.json"], place)
  return ServerStage.make<never, CurrentUser, Authenticator>({
    name: "server/Authentication",
    reports: "Security",
    routes: RouteMatch.given(place, options.exempt, { beside: true }),
    wrap: Effect.map(Authenticator, (authenticator) => {
      const accepted = new Map<string, Redacted.Redacted>()
      return (next) => {
        const asNobody = Effect.provideService(next, CurrentUser, anonymous)
        return Effect.withFiber((fiber) => {
          const { route } = Context.getUnsafe(fiber.context, HttpRouter.RouteContext)
          if (isExempt(route)) return asNobody
          const { headers } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
          const header = headers["authorization"] ?? ""
          const known = accepted.get(header)
          const token = known ?? bearerOf(header)
          if (token === undefined) {
            return Effect.fail(new Unauthorized({ reason: "No bearer token was sent", challenge: "Bearer" }))
          }
          return Effect.flatMapEager(authenticator.authenticate(token), (user) => {
            if (known === undefined) {
              if (accepted.size >= mostAccepted) accepted.clear()
              accepted.set(header, token)
            }
            const exchange = Exchange.ofUnsafe(fiber)
            exchange.userId = user.id
            exchange.logAnnotations["userId"] = user.id
            Exchange.addUnsafe(fiber, CurrentUser, user)
            return next as Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>
          })
        })
      }
    })
  })
}

/**
 * So many accepted tokens are kept, by the header they came in. A client presents the same one with every request, and
 * reading and redacting it anew, with an entry in a `WeakMap` that the collector has to follow, costs as much as some
 * stages do.
 */
const mostAccepted = 256

const bearerOf = (authorization: string): Redacted.Redacted | undefined => {
  const token = /^bearer +([\w.~+/=-]{1,4096})$/i.exec(authorization)?.[1]
  return token === undefined ? undefined : Redacted.make(token)
}

interface Entry {
  readonly token: string
  readonly user: Principal
}

const parseTokens = Effect.fnUntraced(function*(tokens: Redacted.Redacted, source: string | undefined) {
  const entries: Array<Entry> = []
  const positions = new Map<string, number>()
  const from = source === undefined ? {} : { source }
  for (const [index, part] of Redacted.value(tokens).split(",").entries()) {
    const text = part.trim()
    if (text === "") continue
    const position = index + 1
    const [token = "", id = "", scopes, ...more] = text.split(":").map((each) => each.trim())
    const names = scopes?.split("+")
    if (token === "" || id === "" || more.length > 0 || names?.every(isScope) === false) {
      return yield* new InvalidTokens({ position, ...from })
    }
    const repeats = positions.get(token)
    if (repeats !== undefined) return yield* new InvalidTokens({ position, repeats, ...from })
    positions.set(token, position)
    entries.push({ token, user: names === undefined ? { id } : { id, scopes: names } })
  }
  return entries
})

const fromEntries = (entries: ReadonlyArray<Entry>): Authenticator["Service"] => ({
  authenticate: (token) => {
    const presented = Redacted.value(token)
    let found: Principal | undefined
    // Every entry is compared to its end, whether or not one has matched.
    for (const entry of entries) if (sameText(entry.token, presented)) found = entry.user
    return found === undefined
      ? Effect.fail(new Unauthorized({ reason: "The token is not valid", challenge: invalidToken }))
      : Effect.succeed(found)
  }
})

const sameText = (known: string, presented: string): boolean => {
  let difference = known.length ^ presented.length
  for (let i = 0; i < known.length; i++) {
    difference |= known.charCodeAt(i) ^ (i < presented.length ? presented.charCodeAt(i) : 0)
  }
  return difference === 0
}
