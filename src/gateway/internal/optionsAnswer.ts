/** What the gateway says to an `OPTIONS` that goes no further. */
import { Effect } from "effect"
import * as Refusals from "../Refusals.ts"
import type { Downstream } from "./downstream.ts"

export const answerOptions = (down: Downstream, via: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    down.head(204, { allow: Refusals.allow, via: `${down.version} ${via}`, "x-request-id": down.requestId })
    return Effect.callback((resume) => void down.sink.end(() => resume(Effect.void)))
  })
