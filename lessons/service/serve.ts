/** Runs the three services until it is told to stop. */
import { Config, Effect } from "effect"
import { Database } from "effect-lifecycle/testing"
import { launch } from "./launch.ts"

export const serve = (options: { readonly json: boolean; readonly port?: number | undefined }) =>
  Effect.gen(function*() {
    const port = options.port ?? (yield* Config.Port("PORT").pipe(Config.withDefault(4100)))
    const addresses = yield* launch({ port, keepData: true })
    console.log(
      options.json
        ? JSON.stringify(addresses)
        : `users    ${addresses.users}\norders   ${addresses.orders}\npayments ${addresses.payments}\n` +
          `Stop with Ctrl+C. Documentation of each service: /docs`
    )
    return yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.provide(Database.layerServer({ dataDir: ".lifecycle/pg" }))
  )
