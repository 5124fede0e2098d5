/** What stands in the place of a handler where the aggregate is somebody else's: it sends the command to the owner. */
import { Cause, type Context, Effect, Option, Schedule } from "effect"
import type { Sharding } from "effect/cluster"
import type { Headers } from "effect/http"
import { type Rpc, RpcGroup } from "effect/rpc"
import * as Command from "../../domain/Command.ts"
import * as Deadline from "../../request/Deadline.ts"
import * as RequestId from "../../request/RequestId.ts"
import * as Tenant from "../../store/Tenant.ts"
import { ClusterUnavailable } from "../ClusterError.ts"
import { entityIdOf } from "./address.ts"
import * as luggage from "./luggage.ts"

export interface Target<Commands extends Command.AnyAggregate> {
  readonly aggregate: { readonly name: string }
  readonly commands: ReadonlyArray<Commands>
  readonly durable: ReadonlySet<string>
  readonly entity: { readonly client: Effect.Effect<(entityId: string) => object, never, Sharding.Sharding> }
}

type Send = (
  payload: unknown,
  options: { readonly headers: Headers.Headers }
) => Effect.Effect<unknown, unknown>

/** For owners that end one after the other. */
const resend = Schedule.upTo(Schedule.jittered(Schedule.exponential("100 millis", 1.5)), { times: 8 })

const reasons = {
  MailboxFull: "MailboxFull",
  EntityNotAssignedToRunner: "NotAssigned",
  AlreadyProcessingMessage: "AlreadyProcessing",
  PersistenceError: "Storage"
} as const

/** Why the cluster failed; `undefined` for what the owner has answered. */
const reasonOf = (error: unknown): ClusterUnavailable["reason"] | undefined => {
  if (typeof error !== "object" || error === null || !("_tag" in error)) return undefined
  const reason = Object.entries(reasons).find(([tag]) => tag === error._tag)
  return reason?.[1]
}

export const forwarders = <Commands extends Command.AnyAggregate>(
  target: Target<Commands>,
  mapError: (error: unknown) => unknown
): Effect.Effect<Context.Context<Rpc.ToHandler<Commands>>, never, Sharding.Sharding> =>
  Effect.flatMap(target.entity.client, (entityOf) => {
    const forward = (command: Command.AnyAggregate) => {
      const durable = target.durable.has(command._tag)
      return (payload: unknown) =>
        Effect.gen(function*() {
          const id = command.aggregateId(payload as never)
          const place = { id, tenant: yield* Tenant.Current }
          const given = Option.getOrUndefined(yield* Command.CommandId) ?? command.commandId(payload as never)
          // The cluster sends again what may have arrived, so every command needs an id.
          const commandId = given ?? (yield* RequestId.generate)
          const headers = yield* luggage.pack({ durable }).pipe(
            Effect.provideService(Command.CommandId, Option.some(commandId))
          )
          // The client has a function for each message; only its type has them one by one.
          const messages = entityOf(entityIdOf(place)) as Readonly<Record<string, Send>>
          const send = messages[command._tag] ?? (() => Effect.die(new Error(`No message "${command._tag}"`)))
          const unavailable = (reason: ClusterUnavailable["reason"]) =>
            new ClusterUnavailable({ aggregate: target.aggregate.name, id, reason })
          return yield* send(durable ? { command: payload, commandId } : payload, { headers }).pipe(
            Effect.mapError((error) => {
              const reason = reasonOf(error)
              return reason === undefined ? error : unavailable(reason)
            }),
            // An owner that ends interrupts what it cannot finish. That is not an interruption of the caller.
            Effect.catchCauseIf(Cause.hasInterruptsOnly, () => Effect.fail(unavailable("Interrupted"))),
            Effect.retry({
              while: (error) => error instanceof ClusterUnavailable && error.reason === "Interrupted",
              schedule: resend
            }),
            Deadline.enforce
          )
        }).pipe(Effect.mapError(mapError))
    }
    const handlers = Object.fromEntries(target.commands.map((command) => [command._tag, forward(command)]))
    // Each is under the tag of its command, with the types of its command.
    return RpcGroup.make(...target.commands as ReadonlyArray<Rpc.Any>).toHandlers(handlers as never) as Effect.Effect<
      Context.Context<Rpc.ToHandler<Commands>>
    >
  })
