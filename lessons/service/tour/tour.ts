/**
 * The tour: starts PostgreSQL, the three services and the gateway, sends them real requests over real sockets, and tells what happened.
 * What came back is compared with what was expected, byte by byte where that is possible.
 */
import { ConfigProvider, Effect, Fiber, Option, type Scope } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { RequestId } from "effect-lifecycle/request"
import { Database } from "effect-lifecycle/testing"
import { openDoors } from "../gateway.ts"
import { type Addresses, launch } from "../launch.ts"
import { failures } from "./failures.ts"
import { firstRequest } from "./firstRequest.ts"
import { replay, versionConflict } from "./onceOnly.ts"
import { orderEvents } from "./orderEvents.ts"
import { askUrl, Services, tokens, troubles } from "./services.ts"
import { type Outcome, tellAll } from "./story.ts"
import { paint, type Terminal, wrap } from "./terminal.ts"
import { threeServices } from "./threeServices.ts"

const chapters = [
  { title: "The road of one request", scenarios: [firstRequest] },
  { title: "Through three services", scenarios: [threeServices] },
  { title: "Once, and not too late", scenarios: [replay, versionConflict] },
  { title: "What is stored", scenarios: [orderEvents] },
  {
    title: "Failures, and the stage each comes from",
    intro:
      "Below each one is what lifecycle/Diagnosis makes of the error or the answer as it was received. A problem of this " +
      "library names its stage; the reason given here is what else in the answer shows it.",
    scenarios: failures
  }
]

export const tour = (options: {
  readonly terminal: Terminal
  /** What stands before the services, such as a test that breaks one of them. Nothing when absent. */
  readonly front?: ((addresses: Addresses) => Effect.Effect<Addresses, never, Scope.Scope>) | undefined
}) =>
  Effect.gen(function*() {
    const { front = Effect.succeed, terminal } = options
    terminal.write(`${paint(terminal, "bold", "effect-lifecycle: a request from client to event store and back")}\n`)
    // Where no name server answers, this takes many seconds to fail; nothing else has to wait for it.
    const unknownHost = yield* Effect.forkScoped(askUrl("http://name.invalid/"))
    const server = yield* Database.Server
    const log: Array<string> = []
    const addresses = yield* launch({ port: 0, log: (line) => log.push(line), extra: troubles })
    const visited = yield* front(addresses)
    const timed = new Map<string, Array<Recorder.StagesTimed>>()
    const gateway = yield* openDoors({
      targets: { users: [visited.users], orders: [visited.orders], payments: [visited.payments] },
      port: 0,
      log: (line) => log.push(line)
    }).pipe(Recorder.recordTo(intoTimed(timed)))
    const { orders, payments, users } = addresses
    terminal.write(
      `${
        wrap(
          `users ${users}, orders ${orders}, payments ${payments}, behind the gateway ${gateway.https}, ` +
            `PostgreSQL ${server.description}`,
          terminal.width
        )
      }\n`
    )
    const services = { addresses: visited, gateway, timed, log, unknownHost: Fiber.join(unknownHost) }
    return yield* Effect.provideService(tellAll(terminal, chapters), Services, services)
  }).pipe(Effect.scoped, Effect.provide(ownTokens)) satisfies Effect.Effect<Outcome, unknown, Database.Server>

/** Keeps what the gateway reports of each request. */
const intoTimed = (timed: Map<string, Array<Recorder.StagesTimed>>): Recorder.Recorder => (report, fiber) => {
  const id = fiber.getRef(RequestId.Current)
  if (report._tag !== "StagesTimed" || Option.isNone(id)) return
  const reports = timed.get(id.value)
  if (reports === undefined) timed.set(id.value, [report])
  else reports.push(report)
}

/** The tour brings its own callers, whatever the environment says. */
const ownTokens = ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ LIFECYCLE_TOKENS: tokens }), { asPrimary: true })
