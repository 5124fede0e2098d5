/**
 * How late the event loop is: what no single request can see, and every one suffers from.
 */
import { Duration, Effect, Layer } from "effect"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import * as Recorder from "../../lifecycle/Recorder.ts"

/** How often Node looks, in milliseconds. What it notes is the time between two looks, so this is taken off. */
const resolution = 10

/** Reports the loop's delay once in every `interval`, where somebody listens when the server starts. */
export const layer = (service: string, interval: Duration.Input): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.withFiber((fiber) => {
    const recorder = fiber.getRef(Recorder.Current)
    if (recorder === undefined) return Effect.void
    return Effect.gen(function*() {
      const delays = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const histogram = monitorEventLoopDelay({ resolution })
          histogram.enable()
          return histogram
        }),
        (histogram) => Effect.sync(() => histogram.disable())
      )
      let before = performance.eventLoopUtilization()
      const observe = Effect.withFiber((fiber) => {
        const now = performance.eventLoopUtilization()
        const { utilization } = performance.eventLoopUtilization(now, before)
        before = now
        if (delays.count > 0) {
          recorder({
            _tag: "EventLoopObserved",
            service,
            meanMillis: late(delays.mean),
            p50Millis: late(delays.percentile(50)),
            p99Millis: late(delays.percentile(99)),
            maxMillis: late(delays.max),
            utilization
          }, fiber)
        }
        delays.reset()
        return Effect.void
      })
      const pause = Duration.fromInputUnsafe(interval)
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(pause), observe)))
    })
  }))

const late = (nanos: number): number => Math.max(0, nanos / 1e6 - resolution)
