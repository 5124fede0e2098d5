/** `lifecycle store rebuild`: the definition of a projection is in the app, so the app's module says how to build it. */
import { Console, Effect, Layer, Option } from "effect"
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as PgStore from "../../store/pg.ts"
import { type Projection, Projections, PromotionFailed } from "../../store/Projection.ts"
import { SubscriptionPaused, Subscriptions } from "../../store/Subscription.ts"
import { storeConnection, type Where } from "./storeConnection.ts"
import { StoreAsked, StoreCannot, StoreFault } from "./storeErrors.ts"

/** What its handlers need is in the `layer` of the module that exports it. */
type Defined = Projection<unknown, unknown, never>

const isProjection = (value: unknown): value is Defined =>
  typeof value === "object" && value !== null &&
  "name" in value && typeof value.name === "string" &&
  "version" in value && typeof value.version === "number" &&
  "handle" in value && typeof value.handle === "function" && "collection" in value

const isLayer = (value: unknown): value is Layer.Layer<never, unknown> => Layer.isLayer(value)

/** What the module exports: projections, lists of them, and a `layer` with what their handlers need. */
const load = Effect.fnUntraced(function*(file: string) {
  if (!existsSync(file)) return yield* new StoreAsked({ problem: `There is no module ${file} in ${process.cwd()}.` })
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

/** Whoever asks again has mended what it was paused for, or is told of it again. */
const goOn = Effect.fnUntraced(function*(subscription: string) {
  const subscriptions = yield* Subscriptions
  const status = yield* subscriptions.status(subscription)
  if (status?.paused === undefined || !(yield* subscriptions.resume(subscription))) return
  process.stderr.write(`It was paused before position ${status.paused.position}, and goes on there.\n`)
})

/** Removes what the versions before the live one have left, and says of which this could not be done. */
const dropOlder = Effect.fnUntraced(function*(name: string) {
  const service = yield* Projections
  const retired = (yield* service.versions(name)).filter(({ status }) => status === "retired")
  const answers = yield* Effect.forEach(
    retired,
    ({ version }) => Effect.map(service.drop(name, version), (answer) => ({ version, answer }))
  )
  const running = answers.filter(({ answer }) => answer === "running").map(({ version }) => version)
  if (running.length > 0) {
    return yield* new StoreFault({
      problem: `A process still runs version ${running.join(", ")} of "${name}", so its rows are kept: stop it, then ` +
        "run this again."
    })
  }
  return answers.map(({ version }) => version)
})

/** Builds what is not live yet. */
const build = Effect.fnUntraced(function*(
  { layer, projection }: { readonly layer: Layer.Layer<never, unknown>; readonly projection: Defined },
  app: string
) {
  const { name, version } = projection
  const service = yield* Projections
  const subscription = `projection:${name}@${version}`
  yield* goOn(subscription)
  const result: "live" | "superseded" = yield* Effect.raceFirst(
    Effect.mapError(
      service.rebuild(projection).pipe(Effect.provide(layer)),
      (error: unknown) =>
        error instanceof SubscriptionPaused
          ? new StoreFault({
            problem: `Version ${version} of "${name}" cannot take the event at position ${error.position}: ` +
              `${error.reason}\nThe live version is as it was. Mend the handler and run this again: it goes on there.`
          })
          : error instanceof PromotionFailed
          ? new StoreFault({
            problem:
              `${error.message}\nThe live version is as it was. Mend the projection and run this again: what is ` +
              "built is kept."
          })
          : error instanceof Error && "_tag" in error && typeof error._tag === "string"
          ? { _tag: error._tag, message: error.message }
          : new StoreCannot({ problem: `The layer of ${app} failed: ${String(error)}` })
    ),
    Effect.forever(Effect.andThen(Effect.sleep("2 seconds"), progress(subscription)))
  )
  if (result === "superseded") {
    return yield* new StoreFault({ problem: `A higher version of "${name}" became live meanwhile.` })
  }
})

export const rebuild = Effect.fn("cli.store.rebuild")(
  function*(
    where: Where,
    { app, dropRetired, name }: { readonly app: string; readonly dropRetired: boolean; readonly name: string }
  ) {
    const { layer, projections } = yield* load(app)
    const [projection] = projections.filter((one) => one.name === name).toSorted((a, b) => b.version - a.version)
    if (projection === undefined) {
      const names = [...new Set(projections.map((one) => `"${one.name}"`))]
      return yield* new StoreAsked({
        problem: `${app} exports no projection "${name}"; it exports ${names.length === 0 ? "none" : names.join(", ")}.`
      })
    }
    const { version } = projection
    const live = (yield* Projections.use((service) => service.versions(name))).find(({ status }) => status === "live")
    if (live?.mode === "inline") {
      return yield* new StoreFault({
        problem: `"${name}" is kept in the transaction of every append: give version ${version} to ` +
          "Projection.layerInline in the app, which builds it beside the live one."
      })
    }
    const isLive = live?.version === version
    if (live !== undefined && live.version >= version && !(isLive && dropRetired)) {
      return yield* new StoreFault({
        problem: `Version ${live.version} of "${name}" is live, and ${app} has version ${version}: ` +
          "raise the version in its definition to build it anew."
      })
    }
    if (!isLive) yield* build({ layer, projection }, app)
    const replaced = isLive ? undefined : live?.version
    const dropped = dropRetired ? yield* dropOlder(name) : []
    const lines = [
      `Version ${version} of "${name}" is live.`,
      ...replaced === undefined || dropRetired
        ? []
        : [`Version ${replaced} is retired, and keeps its rows until --drop-retired, or Projections.drop.`],
      ...dropped.length === 0 ? [] : [`What version ${dropped.join(", ")} had left is dropped.`]
    ]
    yield* Console.log(
      where.json
        ? JSON.stringify({ name, version, replaced: replaced ?? null, ...(dropRetired ? { dropped } : {}) })
        : lines.join("\n")
    )
  },
  (effect, where) =>
    Effect.provide(
      effect,
      PgStore.layer({ schema: where.schema, migrate: false }).pipe(Layer.provideMerge(storeConnection(where)))
    )
)
