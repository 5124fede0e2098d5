/** Starts a server and holds it, for the test that kills this process: prints the server's process and socket, then waits. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { EmbeddedPostgres } from "effect-lifecycle/testing"

NodeRuntime.runMain(Effect.scoped(Effect.gen(function*() {
  const server = yield* EmbeddedPostgres.make(process.argv[2] === undefined ? {} : { dataDir: process.argv[2] })
  yield* Console.log(JSON.stringify({ pid: yield* server.pid, socket: server.socketPath }))
  return yield* Effect.never
})))
