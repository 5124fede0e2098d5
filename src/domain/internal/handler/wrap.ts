import { Context, Effect, Option, Stream } from "effect"
import type { Headers } from "effect/http"
import * as Command from "../../Command.ts"
import * as Hooks from "../../Hooks.ts"
import type { Middleware, Request } from "../../Middleware.ts"
import type * as Query from "../../Query.ts"
import { beforeCommand, withAfterCommand } from "../hooks.ts"
import { expectedVersion as parseIfMatch } from "../http/ifMatch.ts"
import { ended, endedStream } from "../report.ts"
import type { Handler, Installation, OpenStream, Prepared, StreamHandler } from "./handler.ts"

/** What an Rpc runs for a handler: middleware, hooks and the report around it. */
export const wrap = (on: Installation, handler: Handler<string, unknown> | StreamHandler<string, unknown>) => {
  if (handler.kind === "stream") return wrapStream(on, handler.tag, handler.prepare(on))
  const definition = handler.definition as Command.Any | Query.Any // that is what makes a handler of kind "request"
  return definition.kind === "query"
    ? wrapQuery(on, definition, handler.prepare(on))
    : wrapCommand(on, definition, handler.prepare(on))
}

const wrapStream = <R>(on: Installation, name: string, open: OpenStream<R>) => (payload: unknown) => {
  const request: Request = { name, kind: "stream", payload }
  const opened = Effect.sync(() => open(payload, undefined))
  return endedStream(name, Stream.unwrap(around(on.middleware, request, opened)))
}

const wrapQuery = <R>(on: Installation, { _tag: name }: Query.Any, prepared: Prepared<R>) => (payload: unknown) => {
  const request: Request = { name, kind: "query", payload }
  const self = Effect.suspend(() =>
    prepared.run({
      attempted: { name, payload, aggregate: undefined, commandId: undefined, expectedVersion: undefined },
      failed: undefined,
      hooks: [],
      afterwards: () => {}
    })
  )
  return reply(ended(name, "query", around(on.middleware, request, self)))
}

const wrapCommand =
  <R>(on: Installation, definition: Command.Any, prepared: Prepared<R>) =>
  (payload: unknown, sent?: { readonly headers?: Headers.Headers | undefined }) => {
    const request: Request = { name: definition._tag, kind: "command", payload }
    const self = Effect.withFiber<unknown, unknown, R>((fiber) => {
      const commandId = orOf(fiber.getRef(Command.CommandId), sent?.headers?.["idempotency-key"])
      const expectedVersion = orOf(fiber.getRef(Command.ExpectedVersion), versionIn(sent?.headers?.["if-match"]))
      const outer = fiber.getRef(Hooks.Current)
      const hooks = outer.length === 0 ? on.hooks : [...on.hooks, ...outer]
      const attempted: Hooks.Attempted = {
        name: definition._tag,
        payload,
        aggregate: prepared.target(payload),
        commandId: Option.getOrUndefined(commandId) ?? definition.commandId(payload as never),
        expectedVersion: Option.getOrUndefined(expectedVersion)
      }
      const afterwards: Array<Effect.Effect<void>> = []
      const run = Effect.tap(
        Effect.suspend(() =>
          prepared.run({ attempted, failed: undefined, hooks, afterwards: (effect) => void afterwards.push(effect) })
        ),
        () => afterwards.length === 0 ? Effect.void : Effect.forEach(afterwards, (one) => one, { discard: true })
      )
      const guarded = hooks.length === 0 ? run : withAfterCommand(
        Effect.andThen(beforeCommand(hooks, attempted), run),
        hooks,
        attempted
      )
      return Option.isNone(commandId) && Option.isNone(expectedVersion)
        ? guarded
        : Effect.updateContext(guarded, ownNothing)
    })
    return reply(ended(definition._tag, "command", around(on.middleware, request, self)))
  }

/** What is around the caller wins over the headers of an RPC. */
const orOf = <A>(given: Option.Option<A>, header: A | undefined): Option.Option<A> =>
  Option.isSome(given) || header === undefined ? given : Option.some(header)

const versionIn = (ifMatch: string | undefined): number | undefined => {
  const version = ifMatch === undefined ? "*" : parseIfMatch(ifMatch)
  return version === "*" ? undefined : version
}

/** The id and the version that came with a command are not those of the commands that its handler sends. */
const ownNothing = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.add(Context.add(context, Command.CommandId, Option.none()), Command.ExpectedVersion, Option.none())

export const around = <A, E, R>(
  middleware: ReadonlyArray<Middleware>,
  request: Request,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, unknown, R> =>
  middleware.reduceRight<Effect.Effect<A, unknown, R>>(
    (inner, outer) => Effect.suspend(() => outer(request, inner)),
    self
  )

/** An Rpc handler may not be typed to answer with nothing, though `void` is what a command without a success answers. */
const reply = <R>(self: Effect.Effect<unknown, unknown, R>) => self as Effect.Effect<{}, unknown, R>
