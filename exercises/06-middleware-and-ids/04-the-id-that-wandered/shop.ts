/** The way of an order through 06.4, and the library of the bank, which knows promises only. */
import { Effect } from "effect"
import { Logs } from "effect-lifecycle/observability"

/** The bank's library. It calls `confirmed` when the money is there, from a promise of its own. */
export const bank = {
  charge: async (confirmed: () => Promise<unknown>): Promise<string> => {
    await Promise.resolve()
    await confirmed()
    return "paid"
  }
}

/** What the exercise is about. */
export interface Parts {
  readonly request: <A, E, R>(id: string, work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly log: (message: string) => Effect.Effect<void>
  readonly charge: Effect.Effect<string>
  readonly confirm: Effect.Effect<unknown>
}

/** What one request does. It waits twice; between its lines the others write theirs. */
export const placeOrder = (parts: Parts, waits: readonly [number, number]): Effect.Effect<string> =>
  Effect.gen(function*() {
    yield* parts.log("received")
    yield* Effect.sleep(waits[0])
    yield* parts.log("reserved")
    const money = yield* parts.charge
    yield* parts.confirm
    yield* Effect.sleep(waits[1])
    yield* parts.log("answered")
    return money
  })

/** A line of the log, as far as it matters here. */
export interface Line {
  readonly message: string
  readonly request_id?: string
}

/** The service's log: lines of JSON, collected in a list. */
export const journal = (lines: Array<Line>) =>
  Logs.layer({
    service: "orders",
    sink: (line) => {
      lines.push(JSON.parse(line) as Line)
    }
  })
