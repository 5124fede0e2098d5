/** What a connection costs that has asked once and stays open: memory of the server's process after a collection. */
import { Effect } from "effect"
import type { Row } from "../Suite.ts"
import { host, questions } from "./app.ts"
import { machinery, printed, quick, started, whole } from "./measure.ts"
import type { Process } from "./processes.ts"

const wanted = quick ? 500 : 10_000

/** Both ends are on this machine, each in a process with files and sockets of its own beside the connections. */
const possible = (): number => {
  const report = process.report.getReport() as { readonly userLimits?: { readonly open_files?: { soft?: unknown } } }
  const files = report.userLimits?.open_files?.soft
  return typeof files === "number" ? Math.min(wanted, files - 200) : wanted
}

interface Memory {
  readonly resident: number
  readonly heap: number
}

const measure = (load: Process, script: string, name: string, connections: number) =>
  Effect.gen(function*() {
    const { port, process } = yield* started(script, name)
    const asked = { ...questions.empty, host, port }
    // What the first requests leave behind in the process belongs to no connection.
    yield* load.ask("closed", { ...asked, connections: 50, millis: quick ? 200 : 1500 })
    yield* Effect.sleep("200 millis")
    const before = yield* process.ask<Memory>("memory")
    const held = yield* load.ask<number>("hold", { ...asked, connections })
    if (held !== connections) {
      return yield* Effect.die(new Error(`${name}: ${held} of ${connections} connections are held`))
    }
    yield* Effect.sleep("500 millis")
    const after = yield* process.ask<Memory>("memory")
    const stayed = yield* load.ask<number>("letGo")
    if (stayed !== connections) return yield* Effect.die(new Error(`${name}: only ${stayed} connections stayed open`))
    return {
      resident: (after.resident - before.resident) / connections,
      heap: (after.heap - before.heap) / connections
    }
  }).pipe(Effect.scoped)

export const rows = (load: Process) =>
  Effect.gen(function*() {
    const connections = possible()
    const show = ({ heap, resident }: Memory) =>
      `${(resident / 1024).toFixed(1)} KiB (heap ${(heap / 1024).toFixed(1)})`
    const stack = yield* measure(load, machinery.subject, "stack", connections)
    const plain = yield* measure(load, machinery.subject, "plain", connections)
    const rows: ReadonlyArray<Row> = [
      printed({
        name: `${whole(connections)} idle connections, each` +
          (connections < wanted ? ` (more files may not be open here)` : ""),
        ours: show(stack),
        peers: {
          "node:http": show(plain),
          "bare HttpRouter": show(yield* measure(load, machinery.subject, "bare", connections)),
          "Fastify 5.12.8": show(yield* measure(load, machinery.peer, "fastify-full", connections))
        },
        ratio: stack.resident / plain.resident
      })
    ]
    return rows
  })
