import { Cause, Context, type Duration, Effect, Exit, Option, Schedule, Schema } from "effect"
import { dual } from "effect/Function"
import type { Rpc } from "effect/rpc"
import { type Claim, IdempotencyStore, type Key } from "../../../store/IdempotencyStore.ts"
import * as Tenant from "../../../store/Tenant.ts"
import * as Command from "../../Command.ts"
import { commandFailures, CommandIdMismatch, CommandInProgress } from "../../DomainError.ts"
import type { Call, Handler, Installation } from "./handler.ts"

/**
 * How long a command id is remembered, and for what.
 *
 * @category models
 * @since 0.1.0
 */
export interface IdempotentOptions<in Error = never> {
  /** How long the answer is kept; 24 hours when absent. Longer than anybody repeats the command. */
  readonly timeToLive?: Duration.Input | undefined
  /**
   * When the command may run again although its first run was never heard of again; 90 seconds when absent. Longer than it
   * ever takes.
   */
  readonly lease?: Duration.Input | undefined
  /**
   * Which of the command's own errors give the id back, so that the command runs again: those that pass and say that
   * nothing has happened. None when absent: the first answer stands.
   */
  readonly retryable?: ((error: Error) => boolean) | undefined
}

/**
 * Makes a command happen once under its command id: the first answer is kept in the `IdempotencyStore`, and whoever sends
 * the command again under that id gets it, without running anything. It is for the commands of functions, whichever way
 * they are put together; an aggregate does this by itself, with its events.
 *
 * Another payload under the id is `CommandIdMismatch`, an id whose first command is still running `CommandInProgress`. An
 * id belongs to the command, the tenant and the `Command.Actor`. Kept are a success and the command's own errors, but for
 * `retryable`; what any command can fail with, a defect and an interruption give the id back. A command that is sent
 * without an id runs each time.
 *
 * A process that dies in the middle leaves the id claimed until `lease` has passed; then the command runs again, because
 * nobody knows how far it came. So hand `sent.commandId` on to whatever can tell repeats apart.
 *
 * Put it around the whole handler: inside a fallback, `CommandInProgress` is a failure like any other. The answer is stored
 * as it is, also where it is personal, until `IdempotencyStore.prune` removes it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const idempotent: {
  <Definition extends Command.Any>(
    options?: IdempotentOptions<Rpc.Error<Definition>>
  ): <Tag extends Definition["_tag"], R>(
    self: Handler<Tag, R, Definition>
  ) => Handler<Tag, R | IdempotencyStore, Definition>
  <Tag extends string, R, Definition extends Command.Any>(
    self: Handler<Tag, R, Definition>,
    options?: IdempotentOptions<Rpc.Error<NoInfer<Definition>>>
  ): Handler<Tag, R | IdempotencyStore, Definition>
} = dual(
  (args) => typeof args[0] === "object" && args[0] !== null && "prepare" in args[0],
  <Tag extends string, R, Definition extends Command.Any>(
    self: Handler<Tag, R, Definition>,
    options: IdempotentOptions<unknown> = {}
  ): Handler<Tag, R | IdempotencyStore, Definition> => ({
    ...self,
    prepare: (on) => {
      const { run, target } = self.prepare(on)
      return { target, run: once(on, self.definition, run, options) }
    }
  })
)

const once = <R>(
  on: Installation,
  definition: Command.Any,
  run: (call: Call) => Effect.Effect<unknown, unknown, R>,
  { lease = "90 seconds", retryable = () => false, timeToLive = "24 hours" }: IdempotentOptions<unknown>
) => {
  const store = Context.get(on.services as Context.Context<IdempotencyStore>, IdempotencyStore)
  const fingerprint = Command.fingerprint(definition)
  const answers = codecOf(definition)
  const recovery = Schedule.upTo(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")]), {
    duration: lease
  })
  /** The work is done: what cannot be written down now is written later, and is no failure of the command. */
  const later = (key: Key, token: string, answer: string) =>
    store.complete(key, token, answer).pipe(
      Effect.retry(recovery),
      Effect.delay("100 millis"),
      Effect.ignore,
      // A transaction of the caller is over by then.
      Effect.updateContext((_: Context.Context<never>) => on.services),
      Effect.forkIn(on.scope)
    )
  /** Failures that any command can have, and defects, say nothing about the next run. */
  const isAnswer = (exit: Exit.Exit<unknown, unknown>): boolean =>
    Exit.isSuccess(exit) ||
    exit.cause.reasons.length > 0 && exit.cause.reasons.every((reason) =>
        Cause.isFailReason(reason) && !commandFailures.some((failure) => reason.error instanceof failure) &&
        !retryable(reason.error)
      )

  /** Runs the command and keeps its answer, or gives the id back. */
  const first = (key: Key, token: string, self: Effect.Effect<unknown, unknown, R>) =>
    Effect.flatMap(Effect.exit(self), (exit) => {
      if (!isAnswer(exit)) return Effect.andThen(Effect.ignore(store.release(key, token)), exit)
      return Effect.flatMap(
        answers.encode(exit),
        (answer) =>
          Effect.andThen(Effect.catch(store.complete(key, token, answer), () => later(key, token, answer)), exit)
      )
    })

  return (call: Call): Effect.Effect<unknown, unknown, R> => {
    const { commandId, name, payload } = call.attempted
    if (commandId === undefined) return run(call)
    return Effect.withFiber((fiber) => {
      const actor = Option.getOrNull(fiber.getRef(Command.Actor))
      const key: Key = { scope: JSON.stringify([name, fiber.getRef(Tenant.Current), actor]), key: commandId }
      const options = { fingerprint: fingerprint(payload) ?? "", lease, timeToLive }
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(store.claim(key, options)), (claim: Claim): Effect.Effect<unknown, unknown, R> => {
          switch (claim._tag) {
            case "Claimed":
              return first(key, claim.token, restore(Effect.suspend(() => run(call))))
            case "Completed":
              return Effect.flatten(answers.decode(claim.answer))
            case "InProgress":
              return new CommandInProgress({ name, commandId })
            case "Mismatch":
              return new CommandIdMismatch({ name, commandId })
          }
        })
      )
    })
  }
}

/** An answer as JSON text. One that does not fit the schemas of its command is a bug of who made it. */
const codecOf = ({ errorSchema, successSchema }: Rpc.AnyWithProps) => {
  // What its schemas need is what those need who run it.
  const success = successSchema as Schema.Codec<unknown, unknown>
  const error = errorSchema as Schema.Codec<unknown, unknown>
  const text = Schema.fromJsonString(Schema.toCodecJson(Schema.Exit(success, error, Schema.Defect())))
  const encode = Schema.encodeEffect(text)
  const decode = Schema.decodeEffect(text)
  return {
    encode: (answer: Exit.Exit<unknown, unknown>) => Effect.orDie(encode(answer)),
    decode: (answer: string) => Effect.orDie(decode(answer))
  }
}
