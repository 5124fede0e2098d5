/** `Inbox` over any backend. */
import { Cause, Effect, Exit, Option } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import { Inbox, InvalidReceived, type Received } from "../../Inbox.ts"
import * as Tenant from "../../Tenant.ts"
import type { UnitOfWork } from "../../UnitOfWork.ts"
import { millisOf } from "../duration.ts"
import type { InboxBackend } from "./InboxBackend.ts"
import { isStorable } from "../text.ts"

const longest = 255

export const make = (backend: InboxBackend, unit: UnitOfWork["Service"]): Inbox["Service"] => {
  /** A message with a name that cannot be stored was never handled. */
  const lookUp = (change: InboxBackend["find"]) => (message: Received) =>
    Effect.flatMap(
      Tenant.Current,
      (tenant) =>
        isStorable(tenant) && isStorable(message.source) && isStorable(message.id)
          ? change(tenant, message)
          : Effect.succeed(false)
    )

  return Inbox.of({
    once: <A, E, R>(message: Received, effect: Effect.Effect<A, E, R>) =>
      Effect.gen(function*() {
        const invalid = problem("source", message.source) ?? problem("id", message.id)
        if (invalid !== undefined) return yield* invalid
        const tenant = yield* Tenant.Current
        const joins = yield* unit.isOpen
        const tell = (outcome: Recorder.MessageReceived["outcome"]) =>
          Recorder.report(() => ({ _tag: "MessageReceived", source: message.source, outcome }))
        return yield* unit.run(Effect.gen(function*() {
          if (!(yield* backend.record(tenant, message))) {
            yield* tell("repeated")
            return Option.none<A>()
          }
          // The record would outlive a failure that is caught inside the transaction around this one.
          const answer = joins
            ? yield* Effect.onExit(effect, (exit) =>
              Exit.isSuccess(exit) ? Effect.void : Effect.ignoreCause(backend.remove(tenant, message)))
            : yield* effect
          yield* unit.afterCommit(tell("handled"))
          return Option.some(answer)
        })).pipe(
          Effect.onError((cause) =>
            Cause.hasInterruptsOnly(cause) ? Effect.void : tell("failed")
          )
        )
      }),
    seen: lookUp(backend.find),
    forget: lookUp(backend.remove),
    prune: (olderThan) => backend.prune(millisOf(olderThan))
  })
}

const problem = (field: "source" | "id", name: string): InvalidReceived | undefined => {
  const reason = name === ""
    ? "is empty"
    : name.length > longest
    ? `is longer than ${longest} characters`
    : isStorable(name)
    ? undefined
    : "holds a character that cannot be stored"
  return reason === undefined ? undefined : new InvalidReceived({ field, reason })
}
