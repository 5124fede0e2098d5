import { Context, Effect, Option } from "effect"
import * as Command from "../Command.ts"
import type { Installation } from "../Domain.ts"
import * as Hooks from "../Hooks.ts"
import type { Middleware, Request } from "../Middleware.ts"
import { beforeCommand, withAfterCommand } from "./hooks.ts"
import { ended } from "./report.ts"

/** Middleware, hooks and the report around what runs a command. */
export const wrapCommand = <R>(
  on: Pick<Installation, "hooks" | "middleware">,
  definition: Command.Any,
  prepare: (attempted: Hooks.Attempted, hooks: ReadonlyArray<Hooks.Hooks>) => {
    readonly attempted: Hooks.Attempted
    readonly run: Effect.Effect<unknown, unknown, R>
  }
) =>
(payload: unknown): Effect.Effect<{}, unknown, R> => {
  const request: Request = { name: definition._tag, kind: "command", payload }
  const self = Effect.withFiber<unknown, unknown, R>((fiber) => {
    const commandId = fiber.getRef(Command.CommandId)
    const expectedVersion = fiber.getRef(Command.ExpectedVersion)
    const outer = fiber.getRef(Hooks.Current)
    const hooks = outer.length === 0 ? on.hooks : [...on.hooks, ...outer]
    const { attempted, run } = prepare({
      name: definition._tag,
      payload,
      aggregate: undefined,
      commandId: Option.getOrUndefined(commandId) ?? definition.commandId(payload as never),
      expectedVersion: Option.getOrUndefined(expectedVersion)
    }, hooks)
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

/** The id and the version that came with a command are not those of the commands that its handler sends. */
const ownNothing = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.add(Context.add(context, Command.CommandId, Option.none()), Command.ExpectedVersion, Option.none())

export const around = <A, E, R>(
  middleware: ReadonlyArray<Middleware>,
  request: Request,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, unknown, R> =>
  middleware.reduceRight<Effect.Effect<A, unknown, R>>((inner, outer) => outer(request, inner), self)

/** An Rpc handler may not be typed to answer with nothing, though `void` is what a command without a success answers. */
export const reply = <R>(self: Effect.Effect<unknown, unknown, R>) => self as Effect.Effect<{}, unknown, R>
