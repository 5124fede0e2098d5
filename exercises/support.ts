/**
 * What the specs of the exercises share: checks whose failure is a sentence for the learner, and a watch on the test clock.
 */
import { Cause, Clock, type Duration, Effect, Exit, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import assert from "node:assert/strict"
import { inspect } from "node:util"

/** A cause is shown as what happened, not as what it is made of. */
const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain)
  const what = Cause.isCause(value) ? Cause.squash(value) : value
  return what instanceof Error ? show(what) : what
}

/** An error without a message is shown by what it holds besides its name. */
const held = (error: Error): string => {
  const own = Object.entries(error).filter(([key, value]) => key !== "_tag" || value !== error.name)
  if (own.length === 0) return ""
  return `: ${inspect(Object.fromEntries(own.map(([key, value]) => [key, plain(value)])))}`
}

const show = (value: unknown): string =>
  value instanceof Error
    ? `${value.name}${value.message === "" ? held(value) : `: ${value.message}`}`
    : inspect(value, { depth: 3 })

const seen = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return `it succeeded with ${show(exit.value)}`
  const failure = Exit.findErrorOption(exit)
  if (Option.isSome(failure)) return `it failed with ${show(failure.value)}`
  return Exit.hasInterrupts(exit) ? "it was interrupted" : `it died: ${show(Cause.squash(exit.cause))}`
}

/** Fails with the sentence alone, where the values would add nothing to it. */
export const check: (condition: boolean, sentence: string) => asserts condition = (condition, sentence) => {
  if (!condition) assert.fail(sentence)
}

/** What an effect that must succeed gave; otherwise the sentence, and what was seen. */
export const expectSuccess = <A, E>(exit: Exit.Exit<A, E>, sentence: string): A => {
  if (Exit.isSuccess(exit)) return exit.value
  return assert.fail(`${sentence} Seen: ${seen(exit)}.`)
}

/** The typed error of an effect that must fail; otherwise the sentence, and what was seen. */
export const expectFailure = <A, E>(exit: Exit.Exit<A, E>, sentence: string): E => {
  const failure = Exit.findErrorOption(exit)
  if (Option.isSome(failure)) return failure.value
  return assert.fail(`${sentence} Seen: ${seen(exit)}.`)
}

/** How an effect ended, and when, on the test clock. */
export interface Timed<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly seconds: number
}

/** Runs an effect until it ends, and fails with the sentence when it is still running after `patience`. */
export const time = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: { readonly patience: Duration.Input; readonly sentence: string }
): Effect.Effect<Timed<A, E>, never, R> =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const fiber = yield* effect.pipe(
      Effect.exit,
      Effect.flatMap((exit) => Effect.map(Clock.currentTimeMillis, (now) => ({ exit, seconds: (now - start) / 1000 }))),
      Effect.forkChild({ startImmediately: true })
    )
    yield* TestClock.adjust(options.patience)
    const ended = fiber.pollUnsafe()
    if (ended === undefined) return assert.fail(`${options.sentence} Seen: still waiting after ${options.patience}.`)
    return yield* Fiber.join(fiber)
  })
