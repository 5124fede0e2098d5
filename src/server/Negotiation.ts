/**
 * Finds the representation a client would take, and answers 406 before the handler where there is none.
 *
 * A route offers media types, languages or both. `Accept` and `Accept-Language` are read with their weights, wildcards and
 * parameters; the best offer goes inwards as {@link Chosen}, the first among equals, and `Vary` says what it depended on. A
 * client that takes none of the media types, or no charset they are in (`Accept-Charset`, or a `charset` beside a type; what
 * names none is in UTF-8), is told in a 406 which header is the cause and what there is. A language is never a reason to
 * refuse: the first offered serves who asked for another.
 *
 * Each representation of a version has an ETag of its own: `"7"` for the first of what is offered, `"7(text/csv:de)"` for what
 * was chosen instead of it. `Conditional` takes them all for the same version.
 *
 * Routes that offer nothing of their own answer JSON, and problems are `application/problem+json` whatever was asked: a 404
 * that becomes a 406 helps nobody.
 *
 * **Gotchas**
 *
 * - What a route really sends is up to its handler: take {@link chosen} and send that.
 * - An `ETag` set by hand that is no version stays as it is: let it differ wherever the body does.
 * - A header that cannot be read is as good as not sent.
 * - It has no default in the stack, since an `EventSource` or a page asks for types that only you know you serve.
 *
 * @example
 * ```ts
 * import { Negotiation } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const choose = Negotiation.make({ types: ["application/json", "text/csv"], languages: ["en", "de"] })
 * assert.deepEqual(choose({ accept: "text/csv, application/json;q=0.9", "accept-language": "de-CH, en;q=0.5" }), {
 *   type: "text/csv",
 *   language: "de"
 * })
 * assert.equal(choose({ accept: "image/png" }), undefined)
 * assert.equal(Negotiation.stage({ offers: { "GET /report": ["text/csv"] } }).name, "server/Negotiation")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import * as header from "./internal/acceptHeader.ts"
import * as etags from "./internal/etags.ts"
import * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * What a client gets.
 *
 * @category models
 * @since 0.1.0
 */
export interface Choice {
  /** A media type as it was offered. */
  readonly type: string
  /** A language as it was offered; none where the route offers none. */
  readonly language: string | undefined
}

/**
 * The representation chosen for the running request; `undefined` where the stage does not stand.
 *
 * @category references
 * @since 0.1.0
 */
export const Chosen = Context.Reference<Choice | undefined>("effect-lifecycle/server/Negotiation/Chosen", {
  defaultValue: () => undefined
})

/**
 * None of the representations there are is one the client takes.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotAcceptable extends Schema.TaggedError<NotAcceptable>()("NotAcceptable", {
  offers: Schema.Array(Schema.String),
  /** The header that nothing fits. `Accept` when absent. */
  header: Schema.optionalKey(Schema.Literals(["Accept", "Accept-Charset"]))
}) {
  override get message(): string {
    return this.header === "Accept-Charset"
      ? "The client takes no charset of what there is: take UTF-8 in Accept-Charset, or leave it out"
      : `The client takes none of ${this.offers.join(", ")}: change Accept`
  }
}

/**
 * What a route offers, best first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Offers {
  /** Media types, with parameters or without; `*\/*` stands for whatever the handler likes. Default as {@link json}. */
  readonly types?: ReadonlyArray<string> | undefined
  /** Language tags such as `en` and `pt-BR`. Default none. */
  readonly languages?: ReadonlyArray<string> | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * What routes offer, by names as `RouteMatch` reads them; a list stands for types. The first name that fits counts. The
   * pages of the documentation (`/docs`, `/docs/*`) offer anything unless they are named.
   */
  readonly offers?: { readonly [route: string]: Offers | ReadonlyArray<string> } | undefined
  /** What all other routes offer. Default {@link json}. */
  readonly otherwise?: Offers | ReadonlyArray<string> | undefined
}

/**
 * What a route offers that says nothing.
 *
 * @category constants
 * @since 0.1.0
 */
export const json: ReadonlyArray<string> = ["application/json", "application/problem+json"]

/**
 * The headers that are looked at.
 *
 * @category models
 * @since 0.1.0
 */
export interface Asked {
  readonly accept?: string | undefined
  readonly "accept-charset"?: string | undefined
  readonly "accept-language"?: string | undefined
}

/**
 * The choice among offers, or `undefined` where none of them will do.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (offers: Offers): (asked: Asked) => Choice | undefined => {
  const types = parsed(offers.types ?? json)
  const languages = offers.languages ?? []
  const wrong = languages.find((tag) => !/^[a-z]{1,8}(?:-[a-z0-9]{1,8})*$/i.test(tag))
  if (wrong !== undefined) throw invalid(wrong, "language tags such as en or pt-BR")
  return (asked) => {
    const accepted = asked.accept === undefined || asked.accept === "*/*" ? [] : header.parseMediaRanges(asked.accept)
    const readable = asked["accept-charset"] === undefined ? types : inCharsets(asked["accept-charset"], types)
    const type = accepted.length === 0
      ? readable[0]
      : best(readable, (each) => header.mediaTypeQuality(accepted, each))
    if (type === undefined) return undefined
    return { type: type.text, language: chooseLanguage(asked["accept-language"], languages) }
  }
}

/**
 * The stage. Throws `InvalidOption` for what is no media type, language tag or name of a route. A name that no route has is
 * refused when the server is built.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never> => {
  const table = Object.entries({ ...options.offers, "/docs": anything, "/docs/*": anything, ...options.offers }).map(
    ([name, offers]) => ({ fits: RouteMatch.make([name], place), rule: ruleOf(offers) })
  )
  const otherwise = ruleOf(options.otherwise ?? json)
  const known = new WeakMap<RouteMatch.Named, Rule>()
  const ruleFor = (route: RouteMatch.Named): Rule => {
    const before = known.get(route)
    if (before !== undefined) return before
    const rule = table.find(({ fits }) => fits(route))?.rule ?? otherwise
    known.set(route, rule)
    return rule
  }
  return ServerStage.make<never, never>({
    name: "server/Negotiation",
    reports: "Validation",
    routes: RouteMatch.given(place, Object.keys(options.offers ?? {})),
    wrap: (next) =>
      Effect.withFiber<HttpServerResponse.HttpServerResponse, unknown>((fiber) => {
        const rule = ruleFor(Context.getUnsafe(fiber.context, HttpRouter.RouteContext).route)
        const { headers } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const exchange = Exchange.ofUnsafe(fiber)
        if (rule.vary !== undefined) Exchange.varyUnsafe(exchange, rule.vary)
        const found = rule.choose({
          accept: headers["accept"],
          "accept-charset": headers["accept-charset"],
          "accept-language": headers["accept-language"]
        })
        if ("refused" in found) return Effect.fail(found.refused)
        if (found.variant !== undefined) exchange.variant = found.variant
        Exchange.addUnsafe(fiber, Chosen, found.choice)
        return next
      })
  })
}

/**
 * The representation chosen for the running request, and what it is offered as where the stage does not stand.
 *
 * @category accessors
 * @since 0.1.0
 */
export const chosen = (otherwise: Choice): Effect.Effect<Choice> =>
  Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(Chosen) ?? otherwise))

const anything: Offers = { types: ["*/*"] }

/** What a request comes to: a choice and how ETags name it, or the refusal. */
type Found =
  | { readonly choice: Choice; readonly variant: string | undefined }
  | { readonly refused: NotAcceptable }

interface Rule {
  readonly choose: (asked: Asked) => Found
  readonly vary: string | undefined
}

const ruleOf = (input: Offers | ReadonlyArray<string>): Rule => {
  const offers: Offers = isTypes(input) ? { types: input } : input
  const types = offers.types ?? json
  const depends = [
    ...(types.length > 1 && types !== json ? ["Accept"] : []),
    ...((offers.languages?.length ?? 0) > 1 ? ["Accept-Language"] : [])
  ]
  const choose = make(offers)
  const other = (chosen: string | undefined, all: ReadonlyArray<string> | undefined): string | undefined =>
    chosen === all?.[0] || all === json ? undefined : chosen
  const find = (asked: Asked): Found => {
    const choice = choose(asked)
    if (choice === undefined) {
      const inAnyCharset = choose({ accept: asked.accept })
      return { refused: new NotAcceptable({ offers: types, header: inAnyCharset ? "Accept-Charset" : "Accept" }) }
    }
    const type = other(choice.type, types)
    const language = other(choice.language, offers.languages)
    const variant = type === undefined && language === undefined ? undefined : etags.variant(type, language)
    return { choice, variant }
  }
  return { choose: remembered(find), vary: depends.length === 0 ? undefined : depends.join(", ") }
}

/** Clients send few different headers, and all requests of one the same. */
const mostRemembered = 64

const remembered = (find: Rule["choose"]): Rule["choose"] => {
  const known = new Map<string, Found>()
  return (asked) => {
    const { "accept-charset": charset, "accept-language": language, accept } = asked
    // No header can hold these two: what one says never reads as what three do.
    const key = `${accept ?? "\r"}\n${charset ?? "\r"}\n${language ?? "\r"}`
    const before = known.get(key)
    if (before !== undefined) return before
    const found = find(asked)
    if (known.size >= mostRemembered) known.clear()
    if (key.length <= 1024) known.set(key, found)
    return found
  }
}

const isTypes = (input: Offers | ReadonlyArray<string>): input is ReadonlyArray<string> => Array.isArray(input)

interface Offered extends header.MediaType {
  readonly text: string
}

const parsed = (types: ReadonlyArray<string>): ReadonlyArray<Offered> => {
  if (types.length === 0) throw invalid("an empty list", "one media type or more")
  return types.map((text) => {
    const type = header.mediaType(text)
    if (type === undefined) throw invalid(text, "media types such as application/json or text/csv;header=present")
    return { ...type, text }
  })
}

const place = { module: "Negotiation.stage", option: "offers" }

const invalid = (value: string, allowed: string): InvalidOption => new InvalidOption({ ...place, value, allowed })

const best = <A>(offers: ReadonlyArray<A>, qualityOf: (offer: A) => number): A | undefined => {
  let found: A | undefined
  let quality = 0
  for (const offer of offers) {
    const given = qualityOf(offer)
    if (given > quality) {
      found = offer
      quality = given
    }
  }
  return found
}

const inCharsets = (asked: string, types: ReadonlyArray<Offered>): ReadonlyArray<Offered> => {
  const accepted = header.parse(asked)
  return accepted.length === 0
    ? types
    : types.filter(({ parameters }) =>
      (header.tokenQuality(accepted, parameters.get("charset")?.toLowerCase() ?? "utf-8") ?? 0) > 0
    )
}

const chooseLanguage = (asked: string | undefined, languages: ReadonlyArray<string>): string | undefined => {
  if (asked === undefined || languages.length < 2) return languages[0]
  const accepted = header.parse(asked)
  return best(languages, (tag) => header.languageQuality(accepted, tag)) ?? languages[0]
}
