// fails: e - sets the deadline for the handler, and nobody holds it to that
import { Effect } from "effect"
import { Propagation } from "effect-lifecycle/request"
import { type Reply, type Service, standard } from "../solution.ts"

export * from "../solution.ts"

export const receiveWithLibrary = (handler: Effect.Effect<string>): Service => (headers) =>
  Effect.flatMap(Propagation.extract(headers, { default: standard }), (extracted) =>
    handler.pipe(
      Effect.map((body): Reply => ({ status: 200, body })),
      Propagation.run(extracted)
    ))
