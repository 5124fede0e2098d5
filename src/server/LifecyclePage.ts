/**
 * `GET /lifecycle`: a page that shows the requests of a service as they travel, and what the page reads, for machines.
 *
 * | Route | Answers |
 * | --- | --- |
 * | `GET /lifecycle` | the page: recent requests by stage, one request over all services, guards, subscriptions, events |
 * | `GET /lifecycle/story?id=ID` | what is known of one request, as JSON |
 * | `GET /lifecycle/events` | requests as they end and how the guards stand, as server-sent events |
 *
 * The last two tell what all neighbours know; with `scope=service` what this service knows, in all its processes; with
 * `scope=own` what this process knows.
 *
 * {@link layer} is one more layer of routes for `ServerStack.serve`. It reads a journal, such as `observability/Journal`, and
 * asks its neighbours, which mount the same layer, for theirs. Where several processes run a service behind one address, a
 * request is in the journal of whichever served it: each is told of the others as `siblings`, and any of them tells the whole.
 * The page is a few files without a build step: it loads nothing
 * from anywhere else, and its `Content-Security-Policy` would not let it.
 *
 * Only this machine gets any of it, unless `trust` says otherwise. What a journal holds asks for a token as every route does,
 * and for the right to see it, which `allow` decides. The page itself holds nothing; let {@link open} through without a
 * token, and it asks for one, which stays in the browser's tab.
 *
 * **Gotchas**
 *
 * - Whoever may look sees the requests of all users: their ids, routes and statuses. Give customers' tokens no right to it.
 * - Behind a proxy on this machine every request comes from this machine. Let the proxy refuse `/lifecycle`.
 * - Neighbours and siblings are asked with the `token` you give for them, never with the caller's.
 * - A server that drains ends the streams of events, and pages connect again.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { Journal } from "effect-lifecycle/observability"
 * import { Authentication, LifecyclePage } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const page = LifecyclePage.layer({ journal: Journal.Journal, allow: (user) => user.id === "alice" })
 * const authentication = Authentication.stage({ exempt: ["/docs", ...LifecyclePage.open] })
 *
 * assert.ok(Layer.isLayer(page))
 * assert.equal(authentication.name, "server/Authentication")
 * ```
 *
 * @since 0.1.0
 */
import { Effect, type FileSystem, Layer, type Path, type Redacted, Schema, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type * as Standing from "../lifecycle/Standing.ts"
import * as Story from "../lifecycle/Story.ts"
import { RequestId } from "../request/RequestId.ts"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import * as Authentication from "./Authentication.ts"
import * as Exchange from "./Exchange.ts"
import * as Health from "./Health.ts"
import * as pageFiles from "./internal/pageFiles.ts"
import * as pageNeighbours from "./internal/pageNeighbours.ts"
import * as pageStream from "./internal/pageStream.ts"
import * as TrustedHops from "./TrustedHops.ts"

/**
 * What the page reads. `observability/Journal` is one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Source {
  readonly service: string
  /** Empty when nothing is known of the request. */
  readonly story: (requestId: string) => Effect.Effect<ReadonlyArray<Story.Part>>
  /** Newest first. */
  readonly recent: (limit?: number) => Effect.Effect<ReadonlyArray<Story.Part>>
  readonly changes: Stream.Stream<Story.Part>
  readonly standing: Effect.Effect<Standing.Standing>
}

/**
 * Another service that mounts the page.
 *
 * @category models
 * @since 0.1.0
 */
export interface Neighbour {
  readonly name: string
  /** Scheme, host and port, such as `http://127.0.0.1:4101`. */
  readonly url: string
  /** A token that the neighbour lets see its journal. */
  readonly token: Redacted.Redacted
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never, out S = never> {
  readonly journal: Effect.Effect<Source, never, R>
  /** Whose journals are shown beside the own one; an effect is run for each request. Nobody's when absent. */
  readonly neighbours?: ReadonlyArray<Neighbour> | Effect.Effect<ReadonlyArray<Neighbour>> | undefined
  /**
   * The other processes of this service, each by an address of its own and under a name that tells them apart, such as
   * `orders (worker 2)`. Nobody's when absent.
   */
  readonly siblings?: ReadonlyArray<Neighbour> | Effect.Effect<ReadonlyArray<Neighbour>> | undefined
  /** The latest events of the service's store, newest first. The page shows none when absent. */
  readonly events?: Effect.Effect<ReadonlyArray<Standing.StoredEvent>, unknown, S> | undefined
  /** Who may connect; everybody else gets 403. This machine when absent. */
  readonly trust?: TrustedHops.Trust | undefined
  /** Which of the recognised callers may see what the journal holds; all of them when absent. */
  readonly allow?: ((user: Authentication.Principal) => boolean) | undefined
}

/**
 * Nothing is known of a request, here or at the neighbours.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoryUnknown extends Schema.TaggedError<StoryUnknown>()("StoryUnknown", {
  /** The neighbours that did not answer. */
  away: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const { away } = this
    return "Nothing is known of this request: the id is wrong, or the request was too long ago" +
      (away.length === 0 ? "" : `; ${away.join(" and ")} did not answer`)
  }
}

/**
 * What `GET /lifecycle/story?id=ID` answers with `scope=own`, or with `scope=service`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Own = Schema.Struct({
  service: Schema.String,
  parts: Schema.Array(Story.Part),
  /** The processes of the service that did not answer; absent where only one was asked. */
  away: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * The routes that hold nothing secret, for `Authentication.stage({ exempt })`: the page, its style and its scripts.
 *
 * @category constants
 * @since 0.1.0
 */
export const open: ReadonlyArray<string> = [
  "GET /lifecycle",
  ...pageFiles.names.map((name) => `GET /lifecycle/${name}`)
]

/**
 * The routes. Throws `InvalidOption` for an address that is none.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never, S = never>(
  options: Options<R, S>
): Layer.Layer<
  never,
  never,
  | HttpRouter.HttpRouter
  | FileSystem.FileSystem
  | Path.Path
  | R
  | S
  | HttpRouter.Request<"Requires", Authentication.CurrentUser>
  | HttpRouter.Request<"Error", StoryUnknown | Authentication.Forbidden>
> => {
  const trusts = TrustedHops.make(options.trust ?? "loopback")
  for (const option of ["neighbours", "siblings"] as const) {
    const given = options[option] ?? []
    if (!Effect.isEffect(given)) { for (const { url } of given) checkUrl(option, url) }
  }
  return Layer.unwrap(Effect.gen(function*() {
    const source = yield* options.journal
    const files = yield* pageFiles.load
    const drain = yield* Health.Draining
    const client = yield* HttpClient.HttpClient
    const services = yield* Effect.context<S>()
    const { neighbours: given = [], siblings: processes = [] } = options
    const neighbours = Effect.isEffect(given) ? given : Effect.succeed(given)
    const siblings = Effect.isEffect(processes) ? processes : Effect.succeed(processes)
    const events = options.events === undefined
      ? Effect.succeed([])
      : options.events.pipe(Effect.provideContext(services), Effect.catchCause(() => Effect.succeed([])))
    const standing = Effect.zipWith(source.standing, events, (standing, events) => ({ ...standing, events }))

    const { allow = (user: Authentication.Principal) => user.anonymous !== true } = options
    type Answer<E, R1> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R1>
    const near = <E, R1>(self: Answer<E, R1>): Answer<E | Authentication.Forbidden, R1> =>
      Effect.withFiber((fiber): Answer<E | Authentication.Forbidden, R1> =>
        trusts(Exchange.ofUnsafe(fiber).peer) ? self : Effect.fail(new Authentication.Forbidden())
      )
    const allowed = <E, R1>(self: Answer<E, R1>) =>
      near(Effect.flatMap(
        Authentication.CurrentUser,
        (user): Answer<E | Authentication.Forbidden, R1> =>
          allow(user) ? self : Effect.fail(new Authentication.Forbidden())
      ))
    const asked = Effect.map(HttpServerRequest.ParsedSearchParams, ({ id, scope }) => ({ id, scope }))

    const story = Effect.gen(function*() {
      const { id, scope } = yield* asked
      if (!Schema.is(RequestId)(id)) return yield* new StoryUnknown({ away: [] })
      const own = yield* source.story(id)
      const { service } = source
      if (scope === "own") {
        if (own.length === 0) return yield* new StoryUnknown({ away: [] })
        return HttpServerResponse.jsonUnsafe({ service, parts: own } satisfies typeof Own.Type)
      }
      const [beside, others] = yield* Effect.all([
        pageNeighbours.stories(client, yield* siblings, id, "own"),
        pageNeighbours.stories(client, scope === "service" ? [] : yield* neighbours, id, "service")
      ], { concurrency: "unbounded" })
      const parts = [...own, ...beside.parts, ...others.parts]
      const away = [...beside.away, ...others.away]
      if (parts.length === 0) return yield* new StoryUnknown({ away })
      if (scope === "service") return HttpServerResponse.jsonUnsafe({ service, parts, away } satisfies typeof Own.Type)
      const joined = Story.join(parts)
      return HttpServerResponse.jsonUnsafe({
        requestId: id,
        durationMillis: joined.durationMillis,
        services: Story.services(joined),
        lines: Story.lines(joined),
        parts: joined.parts,
        away
      })
    })

    const live = Effect.gen(function*() {
      const { scope } = yield* asked
      const beside = scope === "own" ? [] : yield* siblings
      const others = scope === "own" || scope === "service" ? [] : yield* neighbours
      const names = [...beside, ...others].map(({ name }) => name)
      const own = pageStream.own({ source, standing, names, drain })
      const all = pageStream.join(own, [
        ...beside.map((one) => Stream.map(pageNeighbours.follow(client, one, "own"), pageStream.named(one.name))),
        ...others.map((other) => pageNeighbours.follow(client, other, "service"))
      ])
      return HttpServerResponse.stream(pageStream.encode(all), {
        contentType: "text/event-stream",
        // A proxy that keeps the answer together would show nothing, and a server that drains waits for connections.
        headers: { "x-accel-buffering": "no", connection: "close" }
      })
    })

    const file = (path: `/${string}`, answer: HttpServerResponse.HttpServerResponse) =>
      HttpRouter.add("GET", path, near(Effect.succeed(answer)))

    return Layer.mergeAll(
      HttpRouter.add(
        "GET",
        "/lifecycle",
        // The router takes both, but what the page loads lies beside only one of them.
        near(Effect.map(
          HttpServerRequest.HttpServerRequest,
          ({ url }) => /\/(\?|$)/.test(url) ? HttpServerResponse.redirect("../lifecycle", { status: 308 }) : files.page
        ))
      ),
      ...files.beside.map(({ answer, name }) => file(`/lifecycle/${name}`, answer)),
      HttpRouter.add("GET", "/lifecycle/story", allowed(story)),
      HttpRouter.add("GET", "/lifecycle/events", allowed(live))
    )
    // What the routes need stands in the signature; the router's own types would name each of them again.
  })).pipe(Layer.provide(FetchHttpClient.layer)) as never
}

const checkUrl = (option: string, url: string): void => {
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? "")) return
  throw new InvalidOption({
    module: "LifecyclePage.layer",
    option: `${option}.url`,
    value: JSON.stringify(url),
    allowed: "scheme, host and port, such as http://127.0.0.1:4101"
  })
}
