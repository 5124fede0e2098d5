/** What sagaWorkers.test.ts and its processes agree on. */
import { Effect, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"

/** A line of a process: the handler of a key has begun, or has had its effect. */
export interface Line {
  readonly key: string
  readonly phase: "begin" | "effect"
  readonly by: number
}

/** Long enough for a process that shares its processor with many. */
export const leaseMillis = 4000

/** The third step fails for every second saga. */
export const definition = (act: (key: string) => Effect.Effect<void>) => {
  const step = {
    inDoubt: "repeat" as const,
    run: ({ key }: { readonly key: string }) => act(key),
    compensate: ({ key }: { readonly key: string }) => act(key)
  }
  return Saga.make({ name: "Trip", input: Schema.Boolean, error: Schema.String })
    .step("a", step)
    .step("b", step)
    .step("c", { ...step, run: ({ input, key }) => input ? Effect.fail("no") : act(key) })
}
