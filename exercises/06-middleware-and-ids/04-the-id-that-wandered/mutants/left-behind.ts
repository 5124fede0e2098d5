// fails: e - changes the context of the running fiber, and puts nothing back
import { Context, Effect, Option, References } from "effect"
import { RequestId } from "effect-lifecycle/request"

export { charge, confirm, log } from "../solution.ts"

export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const annotations = { ...fiber.getRef(References.CurrentLogAnnotations), requestId: id }
    fiber.setContext(
      fiber.context.pipe(
        Context.add(RequestId.Current, Option.some(RequestId.RequestId.make(id))),
        Context.add(References.CurrentLogAnnotations, annotations)
      )
    )
    return work
  })
