/**
 * 05.4 Behind one interface
 *
 * `orders` calls three services, each on a host of its own. Some of its code uses the circuit of 05.2, some this library's
 * breaker, and a client somebody else wrote wants the one of `effect/persistence`. Nobody remembers which of them counts
 * what. From today there is one interface, `Door`, and whatever stands behind it keeps the same promises:
 * - three failures in a row close the door of a host for 10 seconds, then one probe decides; the trouble of one host does
 *   not close another's door;
 * - only `Unavailable` is a failure. `Invalid` and an interruption say nothing;
 * - a call that is not made fails with `Refused`.
 *
 * Do
 * 1. `makeOwn`: a door in front of one `makeCircuit` for each host, made when the host is first called.
 * 2. `makeOurs`: the same with `CircuitBreaker.make`. `isFailure` of `circuit.ts` says what counts.
 * 3. `fromEffect`: a door in front of any `CircuitBreaker` of `effect/persistence`; its `execute` takes a key and a
 *    `classify`. `makeAdapted` puts this library's breaker behind that interface (`CircuitBreakerAdapter`), and then
 *    `fromEffect` in front of it.
 * 4. `makeClient(door)`: calls with up to two attempts, 100 ms apart, the second only after `Unavailable`; an attempt that
 *    takes longer than 1 s is `Unavailable`. All of that stands inside the door, so that the door hears of the call once.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/05-circuit-breaker/04-behind-one-interface/exercise.ts`.
 */
import { Effect } from "effect"
import type { CircuitBreaker as EffectBreaker } from "effect/persistence"
import { type Call, type Invalid, type Policy, type Refused, Unavailable } from "./circuit.ts"

/** What all callers share. */
export interface Door {
  readonly run: (host: string, call: Call) => Effect.Effect<string, Unavailable | Invalid | Refused>
}

const open: Door = { run: (_host, call) => call }

/** Your own circuits. */
export const makeOwn = (_policy: Policy): Effect.Effect<Door> => Effect.succeed(open)

/** This library's breaker. */
export const makeOurs = (_policy: Policy): Effect.Effect<Door> => Effect.succeed(open)

/** Any breaker with the interface of `effect/persistence`. */
export const fromEffect = (_breaker: EffectBreaker.CircuitBreaker): Door => open

/** This library's breaker, behind the interface of `effect/persistence`. */
export const makeAdapted = (_policy: Policy): Effect.Effect<Door> => Effect.succeed(open)

/** Calls services, through a door. */
export const makeClient = (door: Door): Door["run"] => (host, call) => door.run(host, call)

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const doors = {
      own: yield* makeOwn({ failures: 3, openMillis: 10_000 }),
      ours: yield* makeOurs({ failures: 3, openMillis: 10_000 }),
      adapted: yield* makeAdapted({ failures: 3, openMillis: 10_000 })
    }
    for (const [name, door] of Object.entries(doors)) {
      let asked = 0
      const down: Call = Effect.suspend(() => {
        asked++
        return Effect.fail(new Unavailable())
      })
      for (let n = 0; n < 10; n++) yield* Effect.exit(door.run("payments", down))
      console.log(`${name.padEnd(8)} 10 calls of a service that is down: it was asked ${asked} times`)
    }
  })
  await Effect.runPromise(program)
}
