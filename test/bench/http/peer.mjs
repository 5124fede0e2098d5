/**
 * Fastify and Hono in a process of its own, alone (`fastify`, `hono`) or with what comes nearest to our stages
 * (`fastify-full`, `hono-full`): request id, access log into a sink that drops it, bearer token, security headers, limit by
 * address, body limit, timeout, metrics. The same handlers as ours, answers and checks alike.
 */
import { createRequire } from "node:module"
import { networkInterfaces } from "node:os"
import { answering } from "./answering.ts"

const require = createRequire(new URL("../peers/", import.meta.url))
const [subject = ""] = process.argv.slice(2)
const withPlugins = subject.endsWith("-full")
const host =
  Object.values(networkInterfaces()).flat().find((one) => one?.family === "IPv4" && !one.internal)?.address ??
    "127.0.0.1"
const keepAliveTimeout = 75_000
const token = "token123"
const note = { title: "Groceries", text: "x".repeat(180) }
const bodyLimit = 1_048_576
let lines = 0

const fastify = async () => {
  const app = require("fastify")({
    keepAliveTimeout,
    bodyLimit,
    ...(withPlugins
      ? {
        requestTimeout: 60_000,
        genReqId: () => crypto.randomUUID(),
        logger: { level: "info", stream: { write: () => void lines++ } }
      }
      : {})
  })
  if (withPlugins) {
    app.addHook("onSend", async (request, reply) => {
      reply.header("x-request-id", request.id)
    })
    await app.register(require("fastify-metrics"), { endpoint: "/metrics", defaultMetrics: { enabled: false } })
    await app.register(require("@fastify/helmet"))
    await app.register(require("@fastify/rate-limit"), { max: 1_000_000_000, timeWindow: 60_000 })
    await app.register(require("@fastify/bearer-auth"), { keys: new Set([token]) })
  }
  const schema = {
    body: {
      type: "object",
      required: ["title", "text"],
      properties: { title: { type: "string", minLength: 1 }, text: { type: "string" } }
    }
  }
  app.get("/empty", (_request, reply) => reply.code(204).send())
  app.get("/notes/:id", (request, reply) => reply.send({ id: request.params.id, ...note }))
  app.post("/notes", { schema }, (request, reply) => reply.code(201).send({ id: "1", ...request.body }))
  await app.listen({ port: 0, host })
  return app.server.address().port
}

const hono = async () => {
  const { Hono } = require("hono")
  const app = new Hono()
  if (withPlugins) {
    const { prometheus } = require("@hono/prometheus")
    const { rateLimiter } = require("hono-rate-limiter")
    const { registerMetrics } = prometheus()
    app.use(require("hono/request-id").requestId({ headerName: "X-Request-Id" }))
    app.use(require("hono/logger").logger(() => void lines++))
    app.use(registerMetrics)
    app.use(require("hono/secure-headers").secureHeaders())
    app.use(require("hono/timeout").timeout(20_000))
    app.use(rateLimiter({
      windowMs: 60_000,
      limit: 1_000_000_000,
      keyGenerator: (c) => c.env.incoming.socket.remoteAddress
    }))
    app.use(require("hono/bearer-auth").bearerAuth({ token }))
    app.use(require("hono/body-limit").bodyLimit({ maxSize: bodyLimit }))
  }
  const check = require("hono/validator").validator(
    "json",
    (body, c) =>
      typeof body.title === "string" && body.title !== "" && typeof body.text === "string"
        ? { title: body.title, text: body.text }
        : c.json({ error: "title and text are needed" }, 422)
  )
  app.get("/empty", (c) => c.body(null, 204))
  app.get("/notes/:id", (c) => c.json({ id: c.req.param("id"), ...note }))
  app.post("/notes", check, (c) => c.json({ id: "1", ...c.req.valid("json") }, 201))
  return new Promise((resolve) => {
    const { serve } = require("@hono/node-server")
    serve(
      { fetch: app.fetch, port: 0, hostname: host, serverOptions: { keepAliveTimeout } },
      ({ port }) => resolve(port)
    )
  })
}

const port = await (subject.startsWith("hono") ? hono() : fastify())
answering({ port: () => port, lines: () => lines })
