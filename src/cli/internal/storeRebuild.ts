/** `lifecycle store rebuild`: the definition of a projection is in the app, so the app's module says how to build it. */
import { Console, Effect, Layer, Option } from "effect"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as PgStore from "../../store/pg.ts"
import { type Projection, Projections } from "../../store/Projection.ts"
import { Subscriptions } from "../../store/Subscription.ts"
import { connection, type Where } from "./storeConnection.ts"
import { StoreAsked, StoreCannot, StoreFault } from "./storeErrors.ts"

/** What its handlers need is in the `layer` of the module that exports it. */
const isProjection = (value: unknown): value is Projection<unknown, unknown, never> =>
  typeof value === "object" && value !== null &&
  "name" in value && typeof value.name === "string" &&
  "version" in value && typeof value.version === "number" &&
  "handle" in value && typeof value.handle === "function" && "collection" in value

const isLayer = (value: unknown): value is Layer.Layer<never, unknown> => Layer.isLayer(value)

/** What the module exports: projections, lists of them, and a `layer` with what their handlers need. */
const load = Effect.fnUntraced(function*(file: string) {
  const exported = yield* Effect.tryPromise({
    try: (): Promise<Readonly<Record<string, unknown>>> => import(pathToFileURL(resolve(file)).href),
    catch: (error) =>
      new StoreCannot({
        problem: `The module ${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`
      })
  })
  return {
    projections: Object.values(exported).flat().filter(isProjection),
    layer: isLayer(exported.layer) ? exported.layer : Layer.empty
  }
})

const progress = Effect.fnUntraced(function*(subscription: string) {
  const status = yield* Effect.option(Subscriptions.use((subscriptions) => subscriptions.status(subscription)))
  const known = Option.getOrUndefined(status)
  if (known !== undefined) {
    process.stderr.write(`Position ${known.position} of ${known.highest}, ${known.deadLetters} dead letters\n`)
  }
})

export const rebuild = Effect.fn("cli.store.rebuild")(
  function*(where: Where, { app, name }: { readonly app: string; readonly name: string }) {
    const { layer, projections } = yield* load(app)
    const [projection] = projections.filter((one) => one.name === name).toSorted((a, b) => b.version - a.version)
    if (projection === undefined) {
      const names = [...new Set(projections.map((one) => `"${one.name}"`))]
      return yield* new StoreAsked({
        problem: `${app} exports no projection "${name}"; it exports ${names.length === 0 ? "none" : names.join(", ")}.`
      })
    }
    const service = yield* Projections
    const live = (yield* service.versions(name)).find(({ status }) => status === "live")
    if (live?.mode === "inline") {
      return yield* new StoreFault({
        problem: `"${name}" is kept in the transaction of every append: give version ${projection.version} to ` +
          "Projection.layerInline in the app, which builds it beside the live one."
      })
    }
    if (live !== undefined && live.version >= projection.version) {
      return yield* new StoreFault({
        problem: `Version ${live.version} of "${name}" is live, and ${app} has version ${projection.version}: ` +
          "raise the version in its definition to build it anew."
      })
    }
    const subscription = `projection:${name}@${projection.version}`
    const building = service.rebuild(projection).pipe(Effect.provide(layer))
    const result: "live" | "superseded" = yield* Effect.raceFirst(
      Effect.mapError(
        building,
        (error: unknown) =>
          error instanceof Error && "_tag" in error && typeof error._tag === "string"
            ? { _tag: error._tag, message: error.message }
            : new StoreCannot({ problem: `The layer of ${app} failed: ${String(error)}` })
      ),
      Effect.forever(Effect.andThen(Effect.sleep("2 seconds"), progress(subscription)))
    )
    if (result === "superseded") {
      return yield* new StoreFault({ problem: `A higher version of "${name}" became live meanwhile.` })
    }
    yield* Console.log(
      where.json
        ? JSON.stringify({ name, version: projection.version, replaced: live?.version ?? null })
        : `Version ${projection.version} of "${name}" is live${
          live === undefined ? "" : `; version ${live.version} is retired, and stays until it is dropped`
        }.`
    )
  },
  (effect, where) =>
    Effect.provide(
      effect,
      PgStore.layer({ schema: where.schema, migrate: false }).pipe(Layer.provideMerge(connection(where)))
    )
)
