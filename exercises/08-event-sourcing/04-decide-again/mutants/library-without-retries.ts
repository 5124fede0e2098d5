// fails: d - turns the repetition off, to be safe
import { type Layer, Schedule } from "effect"
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
  Domain.aggregateHandler(Reserve, Show, { reply: (state, _events, version) => ({ version, free: state.free }) })
], { conflicts: Schedule.recurs(0) })
