import type { Recorder } from "effect-lifecycle/lifecycle"

/** 1.5 ms, from a round moment. */
const times = { startNanos: 10_000_000n, endNanos: 11_500_000n }

export const stageTimed = (change: Partial<Recorder.StageTimed> = {}): Recorder.StagesTimed => ({
  _tag: "StagesTimed",
  stages: [{ _tag: "StageTimed", stage: "Handler", name: "domain/Mediator", ...times, ...change }]
})

export const started = (
  method = "GET",
  scheme: Recorder.ServerRequestStarted["scheme"] = "https"
): Recorder.ServerRequestStarted => ({
  _tag: "ServerRequestStarted",
  service: "orders",
  method,
  scheme
})

export const ended = (change: Partial<Recorder.ServerRequestEnded> = {}): Recorder.ServerRequestEnded => ({
  _tag: "ServerRequestEnded",
  service: "orders",
  method: "GET",
  scheme: "https",
  route: "/orders/:id",
  path: "/orders/42",
  status: 200,
  outcome: "ok",
  stage: undefined,
  requestId: "r-1",
  userId: "alice",
  ...times,
  ...change
})

export const called = (change: Partial<Recorder.ClientRequestEnded> = {}): Recorder.ClientRequestEnded => ({
  _tag: "ClientRequestEnded",
  method: "POST",
  endpoint: "http://payments:4102",
  route: "/payments",
  status: 201,
  attempts: 1,
  ...times,
  ...change
})

export const command = (change: Partial<Recorder.CommandEnded> = {}): Recorder.CommandEnded => ({
  _tag: "CommandEnded",
  name: "orders.Place",
  kind: "command",
  outcome: "success",
  errorTag: undefined,
  ...times,
  ...change
})
