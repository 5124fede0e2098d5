/**
 * PostgreSQL for the exercises that need it. The course starts it, with `postgres.mjs` in a process of its own: so the
 * grader needs neither a driver nor a server, and works where they cannot be had.
 */
import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { environment } from "./hostProcess.ts"
import type { SqlPlace } from "./protocol.ts"

/** There is no PostgreSQL; the reason is a sentence. */
export class PostgresUnavailable extends Schema.TaggedError<PostgresUnavailable>()("PostgresUnavailable", {
  reason: Schema.String
}) {}

/** A server that is started when somebody asks for the first time, and stays. */
export interface Postgres {
  /** A schema of one's own, which goes with the scope. */
  readonly schema: Effect.Effect<SqlPlace, PostgresUnavailable, Scope.Scope>
  /** Ends the server; whoever asks next starts it again. */
  readonly rest: Effect.Effect<void>
}

type Message =
  | { readonly _tag: "Taken"; readonly number: number; readonly place: SqlPlace }
  | { readonly _tag: "Refused"; readonly number: number; readonly reason: string }

interface Running {
  readonly child: ChildProcess
  /** The end of what it wrote to its error output. */
  readonly errors: () => string
}

const sentence = (text: string): string => /[.!?]$/.test(text) ? text : `${text}.`

/** The line that names the error: of a process that could not even load, the rest is a stack. */
const brief = (errors: string): string => /^\w*Error\b.*$/m.exec(errors)?.[0] ?? errors.trim().split("\n")[0] ?? ""

/** The server of a course. It ends with the scope, and with this process, however that ends. */
export const make = (options: {
  readonly course: string
  readonly root: string
  readonly fromSource: boolean
}): Effect.Effect<Postgres, never, Scope.Scope> => {
  const entry = join(options.course, "postgres.mjs")
  let running: Running | undefined
  let number = 0

  const start = (): Running => {
    const child = fork(entry, [], {
      cwd: options.root,
      env: environment(),
      execArgv: options.fromSource ? ["--conditions=lifecycle-source"] : [],
      stdio: ["ignore", "ignore", "pipe", "ipc"]
    })
    let errors = ""
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-4000)
    })
    const made = { child, errors: () => errors }
    const forget = (): void => {
      if (running?.child === child) running = undefined
    }
    child.on("exit", forget).on("error", forget)
    return running = made
  }

  // It ends by itself when nobody is connected; nobody has to wait for that.
  const stop = (): void => {
    const child = running?.child
    running = undefined
    if (child?.connected === true) child.disconnect()
    child?.stderr?.destroy()
    child?.unref()
  }

  const ask = Effect.callback<{ readonly place: SqlPlace; readonly giveBack: () => void }, PostgresUnavailable>(
    (resume) => {
      const { child, errors } = running ?? start()
      const mine = number++
      const forget = (): void => void child.off("message", onMessage).off("exit", onExit).off("error", onError)
      const refused = (reason: string): void => {
        forget()
        resume(Effect.fail(new PostgresUnavailable({ reason: sentence(reason) })))
      }
      const onMessage = (message: Message): void => {
        if (message.number !== mine) return
        if (message._tag === "Refused") {
          // Whoever asks again may have mended what was wrong, so it is tried again from the beginning.
          if (running?.child === child) stop()
          return refused(message.reason)
        }
        forget()
        const giveBack = (): void => {
          if (child.connected) child.send({ _tag: "GiveBack", number: mine })
        }
        resume(Effect.succeed({ place: message.place, giveBack }))
      }
      const onExit = (code: number | null, signal: string | null): void =>
        refused(`The process that starts it ended (${signal ?? `code ${code}`}). ${brief(errors())}`)
      const onError = (error: Error): void => refused(`It could not be started: ${error.message}`)
      child.on("message", onMessage).on("exit", onExit).on("error", onError)
      child.send({ _tag: "Take", number: mine }, (error) => {
        if (error !== null) refused(`The process that starts it does not listen: ${error.message}`)
      })
      return Effect.sync(forget)
    }
  )

  const taken = Effect.suspend(() =>
    existsSync(entry)
      ? ask
      : Effect.fail(new PostgresUnavailable({ reason: "The course has no postgres.mjs that starts one." }))
  ).pipe(
    Effect.timeoutOrElse({
      duration: "30 seconds",
      orElse: () => {
        stop()
        return Effect.fail(new PostgresUnavailable({ reason: "It did not answer within 30 s." }))
      }
    })
  )
  const schema = Effect.acquireRelease(taken, ({ giveBack }) => Effect.sync(giveBack), { interruptible: true }).pipe(
    Effect.map(({ place }) => place)
  )
  return Effect.acquireRelease(Effect.succeed({ schema, rest: Effect.sync(stop) }), () => Effect.sync(stop))
}
