/** Ours in a process of its own: the stack, a bare router, the gateway, or what the gateway leads to. */
import { Effect, Layer } from "effect"
import { Gateway, GatewayConfig } from "effect-lifecycle/gateway"
import { createServer } from "node:http"
import { answering } from "./answering.ts"
import { bare, dropped, full, host, inMemory, served } from "./app.ts"
import { portOf } from "./measure.ts"

const [subject = "", upstream = ""] = process.argv.slice(2)

const gateway = Effect.gen(function*() {
  const config = yield* GatewayConfig.decode({
    listen: { host, port: 0 },
    upstreams: { notes: { targets: [`http://${host}:${upstream}`] } },
    routes: [{ prefix: "/", upstream: "notes" }]
  })
  return (yield* Gateway.make(config)).port
})

/** A service that costs next to nothing, so that the door in front of it is what is measured. */
const plain = Effect.callback<number>((resume) => {
  const body = JSON.stringify({ id: "1", title: "Groceries", text: "x".repeat(180) })
  const head = { "content-type": "application/json", "content-length": body.length }
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    request.resume()
    response.writeHead(200, head).end(body)
  }).listen(0, host, () => {
    const address = server.address()
    resume(Effect.succeed(typeof address === "object" ? address?.port ?? 0 : 0))
  })
})

const subjects = {
  stack: portOf(served({})(inMemory)),
  full: portOf(served(full)(inMemory)),
  bare: portOf(bare(inMemory)),
  gateway,
  plain
}

const program = Effect.gen(function*() {
  const port = yield* subjects[subject as keyof typeof subjects]
  answering({ port: () => port, lines: () => dropped.lines })
  return yield* Effect.never
})
void Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Layer.empty)))
