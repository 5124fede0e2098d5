/** The processes of a benchmark: those that serve, and the one that sends the load. */
import { Deferred, Effect, type Scope } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Process {
  readonly pid: number
  readonly ask: <A>(ask: string, question?: unknown) => Effect.Effect<A>
}

/** Starts a script that calls `answering`, until the scope closes. */
export const start = (script: string, ...args: ReadonlyArray<string>): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.gen(function*() {
    const waiting = new Map<number, (answer: Effect.Effect<never>) => void>()
    const ready = yield* Deferred.make<void>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(fileURLToPath(new URL(script, import.meta.url)), args, {
          execArgv: ["--disable-warning=ExperimentalWarning", "--expose-gc"]
        })
      ),
      (child) =>
        Effect.callback<void>((resume) => {
          if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
    const gone = Effect.die(new Error(`${script} ${args.join(" ")} ended`))
    child.on("message", ({ answer, id }: { id: number; answer?: never }) => {
      if (id === 0) Deferred.doneUnsafe(ready, Effect.void)
      waiting.get(id)?.(Effect.succeed<unknown>(answer) as Effect.Effect<never>)
      waiting.delete(id)
    })
    child.once("exit", () => {
      Deferred.doneUnsafe(ready, gone)
      for (const resume of waiting.values()) resume(gone)
    })
    yield* Deferred.await(ready)
    let last = 0
    return {
      pid: child.pid ?? 0,
      ask: (ask, question) =>
        Effect.callback((resume) => {
          waiting.set(++last, resume)
          child.send({ id: last, ask, question })
        })
    }
  })
