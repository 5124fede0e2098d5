import { Context, Effect, Layer, Option, Pull, type Scope, Stream } from "effect"
import { HttpEffect, type HttpRouter, HttpServerResponse } from "effect/http"
import { type HttpApi, HttpApiBuilder, type HttpApiEndpoint, type HttpApiGroup } from "effect/http-api"
import type { Rpc } from "effect/rpc"
import * as Command from "../../Command.ts"
import * as Mediator from "../../Mediator.ts"
import type { Definition } from "../definitions.ts"
import { Served } from "./api.ts"
import { layer as layerUndecodable, Undecodable } from "./undecodable.ts"

/**
 * The handlers of a group of `Domain.toHttpApi`, which only translate: they hand each request to the handler that
 * `Domain.toLayer` installed, with its middleware, hooks and transaction.
 *
 * `around` goes around each of them: to name the actor, to send failures to a table of problems. In it, `Command.CommandId`
 * has the request's `Idempotency-Key` and may be changed, such as to keep the keys of two users apart. What it needs is a
 * matter of the request.
 *
 * Dies when an endpoint of the group was not made of a definition.
 *
 * @category layers
 * @since 0.1.0
 */
export const toHttpHandlers = <
  Id extends string,
  Groups extends HttpApiGroup.Constraint,
  const Name extends HttpApiGroup.Identifier<Groups>,
  R = never
>(
  api: HttpApi.HttpApi<Id, Groups>,
  group: Name,
  options: {
    readonly around?: ((self: Effect.Effect<Answer, Failure>) => Effect.Effect<Answer, Failure, R>) | undefined
  } = {}
): Layer.Layer<
  HttpApiGroup.Service<Id, Name>,
  never,
  | Rpc.Handler<Extract<keyof HttpApiGroup.WithIdentifier<Groups, Name>["endpoints"], string>>
  | ([R] extends [never] ? never : HttpRouter.Request.From<"Requires", R>)
> => {
  // It can do nothing with what it hands on but that, whatever it is.
  const around = (options.around ?? ((self: unknown) => self)) as Around
  const whole = api as unknown as HttpApi.Top
  const own = whole.groups[group]
  const endpoints = Object.values(own?.endpoints ?? {})
  // The same group, whose requests say what is wrong with them.
  const told = own === undefined
    ? api
    : { ...whole, groups: { ...whole.groups, [group]: own.middleware(Undecodable) } } as unknown as typeof api
  return HttpApiBuilder.group(told, group, (handlers) =>
    // Which endpoints the group has is known when it runs; its type says it of the layer.
    (handlers as unknown as Untyped).handleAll(Object.fromEntries(
      endpoints.map((endpoint) => [endpoint.identifier, handlerOf(endpoint, around)])
    )) as never).pipe(Layer.provide(layerUndecodable as Layer.Layer<never>)) as never
}

/**
 * What a handler answers, and what it fails with: only a handler makes them. They stand here instead of type parameters so
 * that a function with some of its own can be given as it is, and what it needs is still known.
 */
interface Answer {
  readonly "~effect-lifecycle/domain/Answer": never
}
interface Failure {
  readonly "~effect-lifecycle/domain/Failure": never
}

/** Handlers of a group whose endpoints are not known. */
interface Untyped {
  readonly handleAll: (
    handlers: Readonly<Record<string, (request: Request) => Effect.Effect<unknown, unknown>>>
  ) => unknown
}

interface Request {
  readonly params?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly payload?: unknown
  readonly headers?: { readonly "idempotency-key"?: string; readonly "if-match"?: number | "*" }
}

type Around = <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, E>

const handlerOf = (endpoint: HttpApiEndpoint.Top, around: Around) => {
  const served = Context.getOption(endpoint.annotations as Context.Context<Served>, Served)
  if (Option.isNone(served)) {
    const name = endpoint.identifier
    throw new Error(`The endpoint "${name}" has no command or query. Put it into a group of its own`)
  }
  const { definition } = served.value
  const isStruct = "fields" in definition.payloadSchema
  return (request: Request): Effect.Effect<unknown, unknown> => {
    const payload = isStruct
      ? { ...request.params, ...request.query, ...request.payload as {} | undefined }
      : request.payload
    return definition.kind === "stream"
      ? streamed(definition, payload, around)
      : answered(definition, payload, request, around)
  }
}

const answered = (
  definition: Exclude<Definition, { readonly kind: "stream" }>,
  payload: unknown,
  { headers = {} }: Request,
  around: Around
) => {
  const { version } = definition.http as { readonly version?: (success: unknown) => number }
  // The handler of the definition is in the context that the layer was built with.
  const call = (definition.kind === "command"
    ? Mediator.send(definition, payload as never)
    : Mediator.query(definition, payload as never)) as Effect.Effect<unknown, unknown>
  const { "idempotency-key": key, "if-match": match } = headers
  return Effect.updateContext(
    version === undefined ? around(call) : Effect.tap(around(call), (success) => etag(version(success))),
    (context: Context.Context<never>) =>
      Context.add(
        Context.add(context, Command.CommandId, Option.fromUndefinedOr(key)),
        Command.ExpectedVersion,
        typeof match === "number" ? Option.some(match) : Option.none()
      )
  )
}

const etag = (version: number) =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() =>
      HttpEffect.appendPreResponseHandlerUnsafe(context, (_request, response) =>
        Effect.succeed(
          response.status < 300 ? HttpServerResponse.setHeader(response, "etag", `"${version}"`) : response
        ))
    )
  )

/**
 * Lines of JSON cannot say that a stream failed, so their answer waits for the first piece: a failure before it has its own
 * status. Server-sent events can, and begin at once.
 */
const streamed = (
  definition: Extract<Definition, { readonly kind: "stream" }>,
  payload: unknown,
  around: Around
): Effect.Effect<unknown, unknown> =>
  around(Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    // The pieces are pulled after the handler has returned, and have what was put around it.
    const stream = Stream.provideContext(
      Mediator.stream(definition, payload as never) as Stream.Stream<unknown, unknown>,
      context
    )
    return definition.http.stream === "sse" ? Effect.succeed(stream) : begun(stream)
    // The scope is the one of the request, which ends with the body of its answer.
  }) as Effect.Effect<unknown, unknown>)

const begun = (stream: Stream.Stream<unknown, unknown>): Effect.Effect<unknown, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const pull = yield* Stream.toPull(stream)
    const first = yield* pull
    return Stream.concat(Stream.fromIterable(first), Stream.fromPull(Effect.succeed(pull)))
  }).pipe(Pull.catchDone(() => Effect.succeed(Stream.empty)))
