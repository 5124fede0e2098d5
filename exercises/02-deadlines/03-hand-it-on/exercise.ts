/**
 * 02.3 Hand it on
 *
 * The gateway has a second for an order. It asks orders, and orders asks payments. If payments does not know how much of
 * that second is left, it works for an answer that nobody will read. So each caller sends what it has left in the header
 * `x-request-timeout`, in seconds, less 50 ms for the road, and each server holds its work to what it was told.
 *
 * The client half and the server half are below. Three pieces are missing.
 *
 * Do
 * 1. `granted(value)`: the time that a header grants. A header that is missing, or is not a number from zero to an hour,
 *    grants 2 seconds. Zero is a number: it grants nothing.
 * 2. `call(service)`: ask `Deadline.remaining` and send the header. Where nothing would be left of the time after the
 *    margin, do not make the call, and answer 504. A caller without a deadline sends no header.
 * 3. `receive(handler)`: run the handler within what was granted. Where that is nothing, or is over before the handler is
 *    done, answer 504. With no time at all the handler must not begin.
 * 4. `callWithLibrary` and `receiveWithLibrary`: the same with `Propagation.inject`, `Propagation.extract` and
 *    `Propagation.run` from `effect-lifecycle/request`. `Propagation.run` informs; `Deadline.enforce` inside it interrupts.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/02-deadlines/03-hand-it-on/exercise.ts`.
 */
import { Duration, Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"

export const header = "x-request-timeout"

/** For the road to the service and back. */
export const margin: Duration.Input = "50 millis"

/** Granted to a caller who says nothing that can be read. */
export const standard: Duration.Input = "2 seconds"

export interface Headers {
  readonly [name: string]: string | undefined
}

export interface Reply {
  readonly status: number
  readonly body?: string
}

/** What stands behind the network: it sees headers, and answers. */
export type Service = (headers: Headers) => Effect.Effect<Reply>

/** The time that a header grants. */
export const granted = (_value: string | undefined): Duration.Duration => Duration.infinity

/** Asks a service, and tells it what is left. */
export const call = (service: Service): Effect.Effect<Reply> => service({})

/** A service that holds its handler to what the caller has left. */
export const receive = (handler: Effect.Effect<string>): Service => (_headers) =>
  Effect.map(handler, (body) => ({ status: 200, body }))

/** `call`, with the library. */
export const callWithLibrary = (service: Service): Effect.Effect<Reply> => service({})

/** `receive`, with the library. */
export const receiveWithLibrary = (handler: Effect.Effect<string>): Service => (_headers) =>
  Effect.map(handler, (body) => ({ status: 200, body }))

if (import.meta.main) {
  const told = (name: string, service: Service): Service => (headers) =>
    Effect.suspend(() => {
      console.log(`${name} is told: ${headers[header] ?? "nothing"}`)
      return service(headers)
    })
  const answered = (reply: Reply) => reply.body ?? `status ${reply.status}`
  const payments = told("payments", receive(Effect.as(Effect.sleep("100 millis"), "paid")))
  const orders = told(
    "orders",
    receive(Effect.andThen(Effect.sleep("100 millis"), Effect.map(call(payments), answered)))
  )
  for (const budget of [1000, 200]) {
    const program = call(orders).pipe(
      Deadline.within(budget),
      Effect.catchTag("DeadlineExceeded", () => Effect.succeed<Reply>({ status: 504 }))
    )
    console.log(`within ${budget} ms: ${answered(await Effect.runPromise(program))}`)
  }
}
