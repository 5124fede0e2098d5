import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Exit, Layer, Redacted, Scope } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { Authentication, ServerStack, ServerTiming } from "effect-lifecycle/server"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Agent, createServer, request } from "node:http"
import { fork } from "node:child_process"

if (process.argv[2] === "client") {
  const [, , , port, n] = process.argv
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const one = () =>
    new Promise<void>((res, rej) => {
      const r = request({
        port: Number(port),
        host: "127.0.0.1",
        path: "/users/u-1",
        agent,
        headers: { authorization: "Bearer token123" }
      }, (s) => {
        if (s.statusCode !== 200) rej(new Error(String(s.statusCode)))
        s.resume()
        s.on("end", res)
      })
      r.on("error", rej)
      r.end()
    })
  let left = Number(n)
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left-- > 0) await one()
  }))
  process.exit(0)
}
const routes = HttpRouter.add(
  "GET",
  "/users/:id",
  Effect.sync(() => HttpServerResponse.jsonUnsafe({ id: "u-1", name: "Alice", email: "alice@example.com" }))
)
const node = () => NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })
const bare = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(Layer.provideMerge(node()))
const full = (o: object, rec?: boolean) =>
  ServerStack.serve(routes, { service: "x", ...o }).pipe(
    Layer.provide(Authentication.layerTokens(Redacted.make("token123:alice,token456:bob"))),
    rec ? Layer.provide(Layer.succeed(Recorder.Current, () => {})) : (x: any) => x,
    Layer.provideMerge(node())
  )
const variants: Record<string, any> = {
  bare,
  full: full({}),
  fullNoTiming: full({ serverTiming: ServerTiming.stage({ trust: "none" }) }),
  fullRecorded: full({}, true)
}
const scope = Scope.makeUnsafe()
const ports: Record<string, string> = {}
for (const [name, l] of Object.entries(variants)) {
  const ctx: any = await Effect.runPromise(Layer.buildWithScope(Layer.fresh(l), scope) as any)
  const s: any = await Effect.runPromise(Effect.provide(HttpServer.HttpServer, ctx) as any)
  ports[name] = new URL(HttpServer.formatAddress(s.address)).port
}
const N = 6000
const run = (name: string) =>
  new Promise<number>((res) => {
    const c0 = process.cpuUsage()
    const child = fork(process.argv[1]!, ["client", ports[name]!, String(N)], { execArgv: process.execArgv })
    child.on("exit", () => {
      const c = process.cpuUsage(c0)
      res((c.user + c.system) / N)
    })
  })
const out: Record<string, number[]> = {}
for (let r = 0; r < 7; r++) {
  for (const name of Object.keys(variants)) {
    const v = await run(name)
    if (r > 1) (out[name] ??= []).push(v)
  }
}
for (const [k, v] of Object.entries(out)) {
  console.log(
    k,
    "cpu us/request",
    v.sort((a, b) => a - b)[v.length >> 1]!.toFixed(1)
  )
}
process.exit(0)
