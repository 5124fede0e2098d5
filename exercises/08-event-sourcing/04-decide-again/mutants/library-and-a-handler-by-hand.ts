// fails: d - puts the own way behind the command, and the list of free seats is never written
import { Effect, type Layer } from "effect"
import { Domain } from "effect-lifecycle/domain"
import type { EventStore, StateStore, UnitOfWork } from "effect-lifecycle/store"
import type { Rpc } from "effect/rpc"
import { load, Reserve } from "../show.ts"
import { reserve } from "../solution.ts"

export * from "../solution.ts"

export const theatre: Layer.Layer<
  Rpc.Handler<"shows.Reserve">,
  never,
  EventStore.EventStore | StateStore.StateStore | UnitOfWork.UnitOfWork
> = Domain.toLayer([
  Domain.handler(Reserve, (request) =>
    Effect.gen(function*() {
      const version = yield* Effect.catchTag(reserve(request), "Busy", Effect.die)
      const { state } = yield* load(request.show)
      return { version, free: state.free }
    }))
])
