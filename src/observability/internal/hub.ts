/**
 * One recorder that several layers share.
 *
 * Two layers that are merged, rather than provided to each other, do not see one another: if each provided a recorder of
 * its own, the last would win. So they register with a hub, which layers memoize, and all provide the hub's recorder.
 */
import { Context, Effect, Layer } from "effect"
import * as Recorder from "../../lifecycle/Recorder.ts"

class Hub extends Context.Service<Hub, {
  readonly listeners: Array<Recorder.Recorder>
  readonly record: Recorder.Recorder
}>()("effect-lifecycle/observability/Hub") {
  static readonly layer = Layer.sync(Hub, () => {
    const listeners: Array<Recorder.Recorder> = []
    return {
      listeners,
      record: (report, fiber) => {
        for (const listener of listeners) {
          // A sink or tracer that throws must not fail the request it only listens to.
          try {
            listener(report, fiber)
          } catch {
            continue
          }
        }
      }
    }
  })
}

/** The hub that the recorder in force already leads to. */
const Ambient = Context.Reference<Hub["Service"] | undefined>("effect-lifecycle/observability/Hub/Ambient", {
  defaultValue: () => undefined
})

/** Adds the listener that `make` returns to whoever listens already, for as long as the layer lives. */
export const install = (make: () => Recorder.Recorder): Layer.Layer<never> =>
  Layer.effectContext(Effect.gen(function*() {
    const hub = yield* Hub
    const outer = yield* Recorder.Current
    const ambient = yield* Ambient
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const listener = make()
        hub.listeners.push(listener)
        return listener
      }),
      (listener) => Effect.sync(() => hub.listeners.splice(hub.listeners.indexOf(listener), 1))
    )
    const current = outer === undefined
      ? hub.record
      : ambient === hub
      ? outer
      : Recorder.combine(outer, hub.record)
    return Context.make(Recorder.Current, current).pipe(Context.add(Ambient, hub))
  })).pipe(Layer.provide(Hub.layer))
