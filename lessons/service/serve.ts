/** Runs the three services until it is told to stop. */
import { Config, Effect, Schema } from "effect"
import { Database } from "effect-lifecycle/testing"
import { launch } from "./launch.ts"

/** Users, orders and payments take three ports in a row. */
export class InvalidPort extends Schema.TaggedError<InvalidPort>()("InvalidPort", { given: Schema.String }) {
  override get message(): string {
    return `The port of users is "${this.given}", and orders and payments take the next two: ` +
      "set PORT or --port to a whole number from 1 to 65533, or to 0 for any free ports."
  }
}

export const serve = (options: { readonly json: boolean; readonly port?: number | undefined }) =>
  Effect.gen(function*() {
    const given = options.port ?? (yield* Config.String("PORT").pipe(Config.withDefault("4100")))
    const port = Number(given)
    if (!/^\d{1,5}$/.test(String(given)) || port > 65_533) return yield* new InvalidPort({ given: String(given) })
    return yield* serveAt(port, options.json)
  })

const serveAt = (port: number, json: boolean) =>
  Effect.gen(function*() {
    const addresses = yield* launch({ port, keepData: true })
    console.log(
      json
        ? JSON.stringify(addresses)
        : `users    ${addresses.users}\norders   ${addresses.orders}\npayments ${addresses.payments}\n` +
          `Stop with Ctrl+C. Documentation of each service: /docs`
    )
    return yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.provide(Database.layerServer({ dataDir: ".lifecycle/pg" }))
  )
