// No tracer and no W3C headers: a logger of one's own, spans by hand, and the caller's span in a header of one's own.
import { Context, Effect, type Layer, Logger, References } from "effect"
import type { Headers, Reply } from "../shop.ts"

export { reconstruct } from "../solution.ts"

interface Place {
  readonly request_id: string
  readonly span_id: string
  readonly parent_span_id?: string
}

const Here = Context.Reference<Place>("alternative/Here", {
  defaultValue: () => ({ request_id: "none", span_id: "0" })
})

export const logs = (service: string, sink: (line: string) => void): Layer.Layer<never> =>
  Logger.layer([
    Logger.make(({ date, fiber, message }) => {
      const annotations = fiber.getRef(References.CurrentLogAnnotations)
      sink(JSON.stringify({ time: date.toISOString(), message: String(message), service, ...annotations }))
    })
  ])

export const receive = (_service: string, handler: Effect.Effect<Reply>) => (headers: Headers): Effect.Effect<Reply> =>
  Effect.suspend(() => {
    const parent = headers["x-parent"]
    const place: Place = {
      request_id: headers["x-request-id"] ?? crypto.randomUUID(),
      span_id: crypto.randomUUID(),
      ...(parent === undefined ? {} : { parent_span_id: parent })
    }
    return handler.pipe(Effect.annotateLogs({ ...place }), Effect.provideService(Here, place))
  })

export const call = (service: (headers: Headers) => Effect.Effect<Reply>): Effect.Effect<Reply> =>
  Effect.flatMap(Here, (here) => service({ "x-request-id": here.request_id, "x-parent": here.span_id }))
