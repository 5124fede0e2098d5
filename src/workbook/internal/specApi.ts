/**
 * What a spec imports in the place of `@effect/vitest`: the same, and what an effect prints reaches the learner.
 *
 * `it.effect` gives an effect a console of the test's own, whose lines nobody would see.
 */
import { it as original } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestConsole from "effect/testing/TestConsole"

export * from "@effect/vitest"

const show = Effect.map(Effect.all([TestConsole.logLines, TestConsole.errorLines]), (kinds) => {
  // oxlint-disable-next-line no-console -- this is where the learner's output is collected
  for (const line of kinds.flat()) console.log(line)
})

const effect: typeof original.effect = Object.assign(
  (...[name, self, options]: Parameters<typeof original.effect>): void =>
    original.effect(name, (context) => Effect.ensuring(Effect.suspend(() => self(context)), show), options),
  original.effect
)

/** `it`, whose effects are heard. */
export const it: typeof original = new Proxy(original, {
  get: (target, property, receiver) => property === "effect" ? effect : Reflect.get(target, property, receiver)
})
