import { Cause, Clock, type Duration, Effect, Exit, Fiber, type Scope } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Answer } from "./upstreamAnswer.ts"
import type { Journal, Received } from "./upstreamJournal.ts"

/** Serves a journal's script on a free port of the loopback address until the scope closes. */
export const listen = (journal: Journal): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const run = Effect.runForkWith(context)
    const running = new Set<Fiber.Fiber<unknown, unknown>>()
    const server = createServer((request, response) => {
      const fiber = run(answerOne(journal, request, response))
      running.add(fiber)
      fiber.addObserver(() => running.delete(fiber))
    })
    return yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.once("error", (cause) => resume(Effect.die(cause)))
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      }),
      () =>
        Effect.andThen(
          Effect.suspend(() => Fiber.interruptAll(running)),
          Effect.callback<void>((resume) => {
            server.close(() => resume(Effect.void))
            server.closeAllConnections()
          })
        )
    )
  })

const answerOne = (journal: Journal, request: IncomingMessage, response: ServerResponse): Effect.Effect<void> =>
  Effect.gen(function*() {
    const arrivedAtMillis = yield* Clock.currentTimeMillis
    const body = yield* readBody(request)
    const url = request.url ?? "/"
    const { answer, received } = journal.arrived({
      method: request.method ?? "GET",
      path: url.replace(/[?#].*$/, ""),
      url,
      headers: Object.fromEntries(
        Object.entries(request.headers).map((
          [name, value]
        ) => [name, Array.isArray(value) ? value.join(", ") : value ?? ""])
      ),
      body,
      arrivedAtMillis
    })
    yield* Effect.raceFirst(play(journal, received, answer, response), gone(journal, received, response))
  }).pipe(
    // A client that goes away in the middle of its own request is not in the log, and no reason to stop the server.
    Effect.onExit((exit) =>
      Effect.sync(() => {
        if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) response.destroy()
      })
    )
  )

const play = (
  journal: Journal,
  received: Received,
  answer: Answer,
  response: ServerResponse
): Effect.Effect<void> => {
  switch (answer._tag) {
    case "Never":
      return Effect.never
    case "Reset":
    case "Close":
      return after(answer.latency, () => {
        journal.ended(received, "broken")
        if (answer._tag === "Reset") reset(response)
        else response.socket?.end()
      })
    case "Respond":
      return Effect.andThen(
        after(answer.latency, () => head(answer, response).end(answer.body)),
        finished(journal, received, response)
      )
    case "Half":
      return Effect.andThen(
        after(answer.latency, () => head(answer, response)),
        Effect.andThen(
          write(response, answer.body.subarray(0, answer.bytes)),
          Effect.sync(() => {
            journal.ended(received, "broken")
            reset(response)
          })
        )
      )
    case "Trickle":
      return Effect.gen(function*() {
        yield* after(answer.latency, () => head(answer, response).flushHeaders())
        for (let at = 0; at < answer.body.length; at += answer.bytes) {
          yield* Effect.sleep(answer.every)
          yield* write(response, answer.body.subarray(at, at + answer.bytes))
        }
        response.end()
        yield* finished(journal, received, response)
      })
  }
}

const after = (latency: Duration.Input, f: () => void): Effect.Effect<void> =>
  Effect.andThen(Effect.sleep(latency), Effect.sync(f))

const head = (answer: Extract<Answer, { readonly body: Uint8Array }>, response: ServerResponse): ServerResponse =>
  response.writeHead(answer.status, {
    ...(hasBody(answer.status) ? { "content-length": String(answer.body.length) } : {}),
    ...answer.headers
  })

const hasBody = (status: number): boolean => status >= 200 && status !== 204 && status !== 304

const write = (response: ServerResponse, bytes: Uint8Array): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    response.write(bytes, () => resume(Effect.void))
  })

/** Bytes that were written are with the client before the reset only when the system had time to send them. */
const reset = (response: ServerResponse): void => {
  setImmediate(() => response.socket?.resetAndDestroy())
}

const finished = (journal: Journal, received: Received, response: ServerResponse): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const done = () => {
      journal.ended(received, "answered")
      resume(Effect.void)
    }
    if (response.writableFinished) done()
    else response.once("finish", done)
  })

const gone = (journal: Journal, received: Received, response: ServerResponse): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const onClose = () => {
      journal.ended(received, response.writableFinished ? "answered" : "aborted")
      resume(Effect.void)
    }
    if (response.closed) onClose()
    else response.once("close", onClose)
    return Effect.sync(() => response.off("close", onClose))
  })

const readBody = (request: IncomingMessage): Effect.Effect<string> =>
  Effect.callback<string>((resume) => {
    const parts: Array<Buffer> = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.once("end", () => resume(Effect.succeed(Buffer.concat(parts).toString("utf8"))))
    request.once("error", () => resume(Effect.interrupt))
  })
