/** Workers that run the sagas of some definitions. */
import { Cause, type Duration, Effect, Layer, Schedule } from "effect"
import * as Invalid from "../../../resilience/InvalidOption.ts"
import { type Held, invalidOption, SagaStore } from "../../../store/SagaStore.ts"
import type { UnitOfWork } from "../../../store/UnitOfWork.ts"
import type { Any, Services } from "./definition.ts"
import { drive } from "./drive.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface RunnerOptions {
  /** How many sagas at once; 16 when absent. */
  readonly concurrency?: number | undefined
  /** After how long without a sign of life others may take its sagas, from 100 ms; 30 seconds when absent. */
  readonly lease?: Duration.Input | undefined
  /** After how many claims in a row that came to nothing a saga is parked; 5 when absent. */
  readonly attempts?: number | undefined
  /** How long a saga rests after such an attempt; 1, 2, 4 seconds and so on up to 5 minutes, when absent. */
  readonly backoff?: Schedule.Schedule<unknown> | undefined
  /** How long it waits for the steps under way when it is stopped; 10 seconds when absent. */
  readonly drain?: Duration.Input | undefined
  /** After how long a due saga of a version older than all that are known here is parked; 1 minute when absent. */
  readonly orphanAfter?: Duration.Input | undefined
  /** How long what has ended is kept, and its id taken; 30 days when absent. */
  readonly retention?: Duration.Input | undefined
}

const usualBackoff = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("5 minutes")])

/**
 * Runs the sagas of all tenants that are due, and takes over those whose owner has died, until it is interrupted. Any number
 * of processes may do so: each saga has one owner at a time.
 *
 * @category combinators
 * @since 0.1.0
 */
export const runner = <const Sagas extends ReadonlyArray<Any>>(
  sagas: Sagas,
  options: RunnerOptions = {}
): Effect.Effect<never, Invalid.InvalidOption, Services<Sagas[number]> | SagaStore | UnitOfWork> =>
  Effect.gen(function*() {
    const work = checked("Saga.runner", sagas, options)
    if (work instanceof Invalid.InvalidOption) return yield* work
    return yield* SagaStore.use((store) => store.work(work))
    // The steps need `Services`, which their forgotten types do not say.
  }) as Effect.Effect<never, Invalid.InvalidOption, Services<Sagas[number]> | SagaStore | UnitOfWork>

/**
 * Runs sagas for as long as the layer lives. Wrong options, and two definitions of one name and version, fail the layer; what
 * stops it later is logged.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const Sagas extends ReadonlyArray<Any>>(
  sagas: Sagas,
  options: RunnerOptions = {}
): Layer.Layer<never, Invalid.InvalidOption, Services<Sagas[number]> | SagaStore | UnitOfWork> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const work = checked("Saga.layer", sagas, options)
    if (work instanceof Invalid.InvalidOption) return yield* work
    const who = `The worker of the sagas ${
      work.definitions.map(({ name, version }) => `${name} ${version}`).join(", ")
    }`
    yield* runner(sagas, options).pipe(
      Effect.onError((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`${who} stopped`, cause)
      ),
      Effect.forkScoped
    )
  }))

const keyOf = (name: string, version: number): string => JSON.stringify([name, version])

/** What a worker does, or what is wrong with what it was given. */
const checked = (
  module: string,
  sagas: ReadonlyArray<Any>,
  { attempts = 5, backoff = usualBackoff, ...rest }: RunnerOptions
) => {
  const byVersion = new Map<string, Any>()
  const problem = fewerThanOne(module, attempts) ?? registered(module, sagas, byVersion)
  if (problem !== undefined) return problem
  const definitions = [...byVersion.keys()].map((key) => {
    const [name, version] = JSON.parse(key) as [string, number]
    return { name, version }
  })
  const options = { ...rest, definitions }
  return invalidOption(module, options) ?? {
    ...options,
    handle: (held: Held) =>
      drive(byVersion.get(keyOf(held.saga.name, held.saga.version))?.driven, held, { attempts, backoff })
  }
}

const fewerThanOne = (module: string, attempts: number): Invalid.InvalidOption | undefined => {
  try {
    Invalid.wholeNumber(module, "attempts", attempts, 1)
    return undefined
  } catch (error) {
    if (error instanceof Invalid.InvalidOption) return error
    throw error
  }
}

/** Each version by its own definition; those that another one continues, by that. */
const registered = (
  module: string,
  sagas: ReadonlyArray<Any>,
  byVersion: Map<string, Any>
): Invalid.InvalidOption | undefined => {
  for (const saga of sagas) {
    const key = keyOf(saga.name, saga.version)
    if (byVersion.has(key)) {
      return new Invalid.InvalidOption({
        module,
        option: "sagas",
        value: `two definitions of "${saga.name}" ${saga.version}`,
        allowed: "definitions with a name and version each"
      })
    }
    byVersion.set(key, saga)
  }
  for (const saga of sagas) {
    for (const version of saga.continues) {
      const key = keyOf(saga.name, version)
      if (!byVersion.has(key)) byVersion.set(key, saga)
    }
  }
  return undefined
}
