// fails: c - prints nothing, where nothing can go wrong
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { App } from "../service.ts"

export const logged = (app: App) =>
  app.pipe(
    Effect.catch((failure) => Effect.succeed(HttpServerResponse.jsonUnsafe({ error: failure._tag }, { status: 502 }))),
    Effect.catchDefect(() => Effect.succeed(HttpServerResponse.jsonUnsafe({ error: "defect" }, { status: 500 })))
  )
