/** The application as a process of its own, which a request can kill: prints its port, then its log. */
import { Effect } from "effect"
import { application } from "./application.ts"

const program = Effect.gen(function*() {
  const { port } = yield* application({ onLine: (line) => process.stdout.write(`${line}\n`) })
  process.stdout.write(`${port}\n`)
  return yield* Effect.never
})
await Effect.runPromise(Effect.scoped(program))
