// fails: d - replies with the seats of the request, and not with those that are left
import type { Layer } from "effect"
import { Domain } from "effect-lifecycle/domain"
import type { EventStore, StateStore, UnitOfWork } from "effect-lifecycle/store"
import type { Rpc } from "effect/rpc"
import { Reserve, Show } from "../show.ts"

export * from "../solution.ts"

export const theatre: Layer.Layer<
  Rpc.Handler<"shows.Reserve">,
  never,
  EventStore.EventStore | StateStore.StateStore | UnitOfWork.UnitOfWork
> = Domain.toLayer([
  Domain.aggregateHandler(Reserve, Show, {
    reply: (_state, events, version) => ({ version, free: events[0]?.seats ?? 0 })
  })
])
