/**
 * 06.5 Three services, one story
 *
 * "Request r-17 took too long." The gateway asks users and orders at once, both ask payments, orders asks it twice when a
 * charge is refused. Each service has a log of its own, and what lies there today are sentences without an owner. From the
 * logs alone it shall be possible to say what happened to r-17, and who asked whom.
 *
 * The edge gives every request its id, as `x-request-id`. `shop.ts` holds the gateway and the services. They use the three
 * parts below, you cannot change them, and nothing goes from one to another but headers.
 *
 * Do
 * 1. `logs`: the log of a service. Each line is JSON and has at least `time` (ISO, UTC), `message`, `request_id`, `service`
 *    and `span_id`, and whatever else you need. A span is one visit of one service: its lines have the same `span_id`, and no
 *    other visit has it.
 * 2. `receive` and `call`: what a service does with the headers that come in, and what a caller sends. The edge and the
 *    services may be believed.
 * 3. `reconstruct(id, stores)`: the tree of the visits of one request, or `undefined` where nobody has heard of it. The root
 *    is the visit of the gateway; below a visit are those that it caused, in the order of their first lines. `lines` are the
 *    messages of a visit, in their order. A repeated call is a visit of its own, beside the first.
 *
 * You may choose the means: `Propagation` and `Logs` do most of it. What no log line says, no tree can show.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/06-middleware-and-ids/05-three-services/exercise.ts`.
 */
import { Effect, type Layer, Logger } from "effect"
import { emptyStores, type Headers, open, type Reply, type ServiceName } from "./shop.ts"

/** One visit of one service, and the visits that it caused. */
export interface Visit {
  readonly service: string
  readonly lines: ReadonlyArray<string>
  readonly children: ReadonlyArray<Visit>
}

/** The log of a service. */
export const logs = (_service: string, sink: (line: string) => void): Layer.Layer<never> =>
  Logger.layer([Logger.make(({ message }) => sink(JSON.stringify({ message: String(message) })))])

/** What a service does around its handler. */
export const receive = (_service: string, handler: Effect.Effect<Reply>) => (_headers: Headers): Effect.Effect<Reply> =>
  handler

/** What a caller does around a call. */
export const call = (service: (headers: Headers) => Effect.Effect<Reply>): Effect.Effect<Reply> => service({})

/** The story of a request. */
export const reconstruct = (
  _id: string,
  _stores: { readonly [name in ServiceName]: ReadonlyArray<string> }
): Visit | undefined => undefined

if (import.meta.main) {
  const draw = (visit: Visit, depth = 0): void => {
    console.log(`${"  ".repeat(depth)}${visit.service}: ${visit.lines.join(", ")}`)
    for (const child of visit.children) draw(child, depth + 1)
  }
  const stores = emptyStores()
  const gateway = open({ logs, receive, call }, stores, { refusals: 1 })
  await Effect.runPromise(gateway(17, { "x-request-id": "r-17" }))
  for (const [name, lines] of Object.entries(stores)) console.log(`${name}\n  ${lines.join("\n  ")}`)
  const story = reconstruct("r-17", stores)
  if (story === undefined) console.log("Nobody can say what happened to r-17.")
  else draw(story)
}
