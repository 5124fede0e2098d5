/** What goes with a command to its owner, as the headers of its message. */
import { Context, Effect, Option } from "effect"
import type { Headers } from "effect/http"
import * as Command from "../../domain/Command.ts"
import * as Deadline from "../../request/Deadline.ts"
import * as Propagation from "../../request/Propagation.ts"
import * as EventMeta from "../../store/EventMeta.ts"

/** `Propagation` has the rest; what these hold may have any character, so it is encoded. */
const texts = [
  ["x-lifecycle-actor", EventMeta.Actor],
  ["x-lifecycle-correlation-id", EventMeta.Correlation],
  ["x-lifecycle-causation-id", EventMeta.Causation],
  ["x-lifecycle-command-id", Command.CommandId]
] as const

const expectedVersion = "x-lifecycle-expected-version"

/** A durable command outlives its caller, so it does not take the caller's deadline along. */
export const pack = (options: { readonly durable: boolean }): Effect.Effect<Headers.Headers> =>
  Effect.withFiber((fiber) => {
    const own: Record<string, string> = {}
    for (const [name, reference] of texts) {
      const text = fiber.getRef(reference)
      if (Option.isSome(text)) own[name] = encodeURIComponent(text.value.toWellFormed())
    }
    const expected = fiber.getRef(Command.ExpectedVersion)
    if (Option.isSome(expected)) own[expectedVersion] = String(expected.value)
    const injected = Propagation.inject(own)
    return options.durable ? Effect.provideService(injected, Deadline.Current, Option.none()) : injected
  })

/** Runs `self` as the caller's: other runners are our own, so they are believed. */
export const unpack = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  headers: Headers.Headers,
  options: { readonly durable: boolean }
): Effect.Effect<A, E | Deadline.DeadlineExceeded, R> =>
  Effect.flatMap(Propagation.extract(headers, { trusted: true }), (extracted) => {
    let own = Context.empty() as Context.Context<never>
    for (const [name, reference] of texts) {
      const text = headers[name]
      own = Context.add(own, reference, text === undefined ? Option.none() : Option.some(decodeURIComponent(text)))
    }
    const expected = headers[expectedVersion]
    own = Context.add(
      own,
      Command.ExpectedVersion,
      expected === undefined ? Option.none() : Option.some(Number(expected))
    )
    const run = Effect.provideContext(self, own)
    return options.durable
      ? Propagation.run(run, { ...extracted, deadline: Option.none() })
      : Propagation.run(Deadline.enforce(run), extracted)
  })
