/** The four programs of 02.1. Each is given one second, and says what happens to it. */
import { Clock, type Context, Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"

/** Notes a line, with the second at which it was said. */
export type Say = (line: string) => Effect.Effect<void>

/** Gives the work one second. */
const oneSecond = (say: Say) => <E>(work: Effect.Effect<void, E>) =>
  work.pipe(
    Deadline.within("1 second"),
    Effect.catchTag("DeadlineExceeded", () => say("gave up"))
  )

/** The card company's library: a promise that charges after 3 seconds, unless its signal tells it to stop. */
const cardLibrary = (say: Say) =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.succeed((signal?: AbortSignal): Promise<void> => {
      const work = Effect.andThen(Effect.sleep("3 seconds"), say("charged")).pipe(
        Effect.onInterrupt(() => say("not charged"))
      )
      return Effect.runPromiseWith(context)(work, signal === undefined ? {} : { signal }).catch(() => undefined)
    })
  )

export const programs = {
  /** A table in the database is locked, and nobody unlocks it. The lease on the connection is given back. */
  locked: (say: Say) =>
    Effect.never.pipe(
      Effect.onInterrupt(() => say("lease given back")),
      oneSecond(say)
    ),

  /** The promise is called without the signal. */
  deaf: (say: Say) => Effect.flatMap(cardLibrary(say), (charge) => Effect.promise(() => charge())).pipe(oneSecond(say)),

  /** The promise is called with the signal. */
  listening: (say: Say) =>
    Effect.flatMap(cardLibrary(say), (charge) => Effect.promise((signal) => charge(signal))).pipe(oneSecond(say)),

  /** Writing the order takes two seconds, and must not be cut in half. */
  writing: (say: Say) =>
    Effect.andThen(Effect.sleep("2 seconds"), say("written")).pipe(
      Effect.uninterruptible,
      oneSecond(say)
    )
} satisfies Record<string, (say: Say) => Effect.Effect<void>>

/** Runs a program to its end, and to that of whatever it left behind. */
export const run = (name: keyof typeof programs): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const lines: Array<string> = []
    yield* programs[name]((line) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        lines.push(`${Math.round((now - start) / 1000)} s: ${line}`)
      })
    )
    yield* Effect.sleep("5 seconds")
    return lines
  })
