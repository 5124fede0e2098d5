import { Effect, type Layer, Option } from "effect"
import { Logs } from "effect-lifecycle/observability"
import { Propagation } from "effect-lifecycle/request"
import type { Headers, Reply, ServiceName } from "./shop.ts"

export interface Visit {
  readonly service: string
  readonly lines: ReadonlyArray<string>
  readonly children: ReadonlyArray<Visit>
}

// Time, message, service, request id and span are in every line already.
export const logs = (service: string, sink: (line: string) => void): Layer.Layer<never> => Logs.layer({ service, sink })

// The span of this visit below that of the caller, and the caller's in the log: the tree needs the edge, not only the nodes.
export const receive = (service: string, handler: Effect.Effect<Reply>) => (headers: Headers): Effect.Effect<Reply> =>
  Effect.flatMap(Propagation.extract(headers, { trusted: true }), (extracted) =>
    handler.pipe(
      Effect.annotateLogs(
        Option.match(extracted.trace, { onNone: () => ({}), onSome: ({ spanId }) => ({ parent_span_id: spanId }) })
      ),
      Effect.withSpan(service, { kind: "server" }),
      Propagation.run(extracted)
    ))

export const call = (service: (headers: Headers) => Effect.Effect<Reply>): Effect.Effect<Reply> =>
  Effect.flatMap(Propagation.inject(), service)

interface Line {
  readonly time: string
  readonly message: string
  readonly service: string
  readonly request_id?: string
  readonly span_id: string
  readonly parent_span_id?: string
}

export const reconstruct = (
  id: string,
  stores: { readonly [name in ServiceName]: ReadonlyArray<string> }
): Visit | undefined => {
  const lines = Object.values(stores)
    .flatMap((store) => store.map((line) => JSON.parse(line) as Line))
    .filter((line) => line.request_id === id)
    .sort((a, b) => a.time.localeCompare(b.time))
  const firsts = lines.filter((line, n) => lines.findIndex((other) => other.span_id === line.span_id) === n)
  const visit = (first: Line): Visit => ({
    service: first.service,
    lines: lines.filter((line) => line.span_id === first.span_id).map((line) => line.message),
    children: firsts.filter((other) => other.parent_span_id === first.span_id).map(visit)
  })
  const root = firsts.find((line) => line.parent_span_id === undefined)
  return root === undefined ? undefined : visit(root)
}
