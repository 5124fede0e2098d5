import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option, Schema, SchemaAST, Stream } from "effect"
import { Command, Domain, type DomainError, Mediator, Query } from "effect-lifecycle/domain"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServer, HttpServerRequest } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiClient,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiSchema,
  OpenApi
} from "effect/http-api"
import { RpcClient } from "effect/rpc"
import { memory } from "./support/store.ts"
import {
  ById,
  Close,
  Lost,
  nudged,
  overHttp,
  overSocket,
  ticketHandlers,
  TicketNotFound
} from "./support/tickets.ts"

const installed = Domain.toLayer(ticketHandlers).pipe(Layer.provideMerge(memory))
const api = Domain.toHttpApi("tickets", ticketHandlers)
const group = Domain.toRpcGroup(ticketHandlers)

const served = overHttp(api, Domain.toHttpHandlers(api, "tickets")).pipe(Layer.provideMerge(installed))
const socket = overSocket(group).pipe(Layer.provideMerge(installed))

layer(served, { excludeTestServices: true })("Domain.toHttpApi", (it) => {
  const make = HttpApiClient.make(api)

  it.effect("serves commands and queries with the answers and the typed errors that Mediator has", () =>
    Effect.gen(function*() {
      const client = yield* make
      const payload = { title: "leak", due: new Date(0) }
      const opened = yield* client.tickets["tickets.Open"]({ params: { id: "h-1" }, payload, headers: {} })
      assert.deepStrictEqual(opened, { title: "leak", status: "open", version: 1 })
      assert.deepStrictEqual(yield* client.tickets["tickets.ById"]({ params: { id: "h-1" } }), opened)
      assert.deepStrictEqual(yield* Mediator.query(ById, { id: "h-1" }), opened)
      yield* client.tickets["tickets.Close"]({ params: { id: "h-1" }, headers: {} })

      for (const id of ["h-1", "h-none"]) {
        const over = yield* Effect.flip(client.tickets["tickets.Close"]({ params: { id }, headers: {} }))
        const inside = yield* Effect.flip(Mediator.send(Close, { id }))
        assert.deepStrictEqual(over, inside)
      }
      const missing = yield* Effect.flip(client.tickets["tickets.ById"]({ params: { id: "h-none" } }))
      assert.instanceOf(missing, TicketNotFound)
    }))

  it.effect("takes fields from the path, the query string and the body", () =>
    Effect.gen(function*() {
      const client = yield* make
      const counted = yield* client.tickets["tickets.Count"]({
        query: { status: "open", atLeast: 41, words: ["a", "b c"] }
      })
      assert.deepStrictEqual(counted, { count: 42, words: ["a", "b c"] })
      const one = yield* client.tickets["tickets.Count"]({ query: { atLeast: 1, words: ["only"] } })
      assert.deepStrictEqual(one, { count: 1, words: ["only"] })
      assert.strictEqual(yield* client.tickets["tickets.Find"]({ payload: { where: { title: "deep" } } }), "deep")
    }))

  it.effect("answers with the status of a definition, of an error's annotation, and of each failure of a command", () =>
    Effect.gen(function*() {
      const status = (request: HttpClientRequest.HttpClientRequest) =>
        Effect.map(HttpClient.execute(request), (response) => response.status)
      const put = (id: string, body: unknown) =>
        HttpClientRequest.put(`/tickets/${id}`).pipe(HttpClientRequest.bodyJsonUnsafe(body))
      assert.strictEqual(yield* status(put("s-1", { title: "x" })), 201)
      assert.strictEqual(yield* status(put("s-1", { title: "" })), 400)
      assert.strictEqual(
        yield* status(put("s-1", { title: "x" }).pipe(HttpClientRequest.setHeader("if-match", "\"7\""))),
        412
      )
      const close = HttpClientRequest.post("/tickets/s-1/closing")
      assert.strictEqual(yield* status(close), 200)
      // Its own error without an annotation.
      assert.strictEqual(yield* status(close), 422)
      assert.strictEqual(yield* status(HttpClientRequest.post("/tickets/none/closing")), 404)
      const nudge = HttpClientRequest.post("/commands/tickets.Nudge")
      assert.strictEqual(yield* status(nudge.pipe(HttpClientRequest.bodyJsonUnsafe({ id: "a", times: 1 }))), 204)
      assert.strictEqual(yield* status(nudge.pipe(HttpClientRequest.bodyJsonUnsafe({ id: "a" }))), 400)
    }))

  it.effect("reads the command id from Idempotency-Key", () =>
    Effect.gen(function*() {
      const client = yield* make
      const call = (title: string, key: string) =>
        client.tickets["tickets.Open"]({
          params: { id: "k-1" },
          payload: { title },
          headers: { "idempotency-key": key }
        })
      const first = yield* call("one", "k")
      assert.deepStrictEqual(yield* call("one", "k"), first)
      const mismatch = yield* Effect.flip(call("two", "k"))
      assert.deepInclude(mismatch, { _tag: "CommandIdMismatch", name: "tickets.Open", commandId: "k" })
      assert.strictEqual((yield* call("two", "other")).version, 2)
      yield* client.tickets["tickets.Nudge"]({ payload: { id: "n", times: 1 }, headers: { "idempotency-key": "nk" } })
      assert.include(nudged, "n 1 nk")
    }))

  it.effect("reads the expected version from If-Match, and answers with the version as ETag", () =>
    Effect.gen(function*() {
      const client = yield* make
      const open = (version: number | "*") =>
        client.tickets["tickets.Open"]({
          params: { id: "v-1" },
          payload: { title: "v" },
          headers: { "if-match": version }
        })
      yield* open(0)
      const stale = yield* Effect.flip(open(0))
      assert.deepInclude(stale, { _tag: "VersionMismatch", expected: 0, actual: 1 })
      yield* open(1)
      assert.strictEqual((yield* open("*")).version, 3)

      const got = yield* HttpClient.get("/tickets/v-1")
      assert.strictEqual(got.headers["etag"], "\"3\"")
      const put = (ifMatch: string) =>
        HttpClient.execute(
          HttpClientRequest.put("/tickets/v-1").pipe(
            HttpClientRequest.bodyJsonUnsafe({ title: "v" }),
            HttpClientRequest.setHeader("if-match", ifMatch)
          )
        )
      for (const foreign of ["W/\"3\"", "\"abc\"", "\"03\""]) {
        assert.strictEqual((yield* put(foreign)).status, 412, foreign)
      }
      const weak = yield* (yield* put("W/\"3\"")).json
      assert.deepStrictEqual(weak, { _tag: "VersionMismatch", aggregate: "Ticket", id: "v-1", actual: 3 })
      for (const wrong of ["3", "\"3\", \"4\""]) assert.strictEqual((yield* put(wrong)).status, 400, wrong)
      const matched = yield* put("\"3\"")
      assert.deepStrictEqual([matched.status, matched.headers["etag"]], [201, "\"4\""])
      // As the server names the representations of a version.
      const form = yield* put("\"4(text/csv:de)-gzip\"")
      assert.deepStrictEqual([form.status, form.headers["etag"]], [201, "\"5\""])
      assert.isUndefined((yield* HttpClient.get("/tickets/none")).headers["etag"])
    }))

  it.effect("says which field of a request is wrong that does not decode, with the typed error of Mediator", () =>
    Effect.gen(function*() {
      const answer = (request: HttpClientRequest.HttpClientRequest) =>
        Effect.gen(function*() {
          const response = yield* HttpClient.execute(request)
          return { status: response.status, body: yield* response.json }
        })
      const put = HttpClientRequest.put("/tickets/u-1")
      const ofOpen = (...issues: ReadonlyArray<Readonly<Record<string, string>>>) => ({
        status: 400,
        body: { _tag: "InvalidPayload", name: "tickets.Open", issues }
      })
      const json = (body: unknown) => HttpClientRequest.bodyJsonUnsafe(body)(put)
      assert.deepStrictEqual(
        yield* answer(json({ title: 7, due: "soon" })),
        ofOpen({ pointer: "/title", message: "Expected string" }, {
          pointer: "/due",
          message: "Expected a valid Date"
        })
      )
      assert.deepStrictEqual(
        yield* answer(HttpClientRequest.bodyText("{", "application/json")(put)),
        ofOpen({ pointer: "", message: "Expected a valid JSON body" })
      )
      assert.deepStrictEqual(
        yield* answer(HttpClientRequest.setHeader(json({ title: "x" }), "if-match", "3")),
        ofOpen({
          pointer: "/if-match",
          in: "header",
          message: "Expected one ETag in double quotes, such as \"3\", or *"
        })
      )
      const counted = yield* answer(HttpClientRequest.get("/queries/tickets.Count?atLeast=many"))
      assert.deepStrictEqual(counted, {
        status: 400,
        body: {
          _tag: "InvalidPayload",
          name: "tickets.Count",
          issues: [
            { pointer: "/atLeast", in: "query", message: "Expected a string representing a finite number" },
            { pointer: "/words", in: "query", message: "Missing key" }
          ]
        }
      })
    }))

  it.effect("streams lines of JSON, with the status of a failure before the first one", () =>
    Effect.gen(function*() {
      const client = yield* make
      const all = yield* client.tickets["tickets.History"]({ params: { id: "a" }, query: {} })
      assert.deepStrictEqual(
        yield* Stream.runCollect(all),
        [1, 2, 3].map((version) => ({ version, at: new Date(0) }))
      )
      const raw = yield* HttpClient.get("/tickets/a/history")
      assert.strictEqual(raw.headers["content-type"], "application/x-ndjson")
      assert.strictEqual((yield* raw.text).split("\n")[0], "{\"version\":1,\"at\":\"1970-01-01T00:00:00.000Z\"}")
      // A failure in the middle breaks the answer off; it is never taken for its end.
      const broken = Effect.flatMap(HttpClient.get("/tickets/a/history?breakAfter=2"), (response) => response.text)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(broken)))
      const missing = yield* Effect.flip(
        client.tickets["tickets.History"]({ params: { id: "none" }, query: {} })
      )
      assert.instanceOf(missing, TicketNotFound)
      const lost = yield* HttpClient.get("/tickets/a/history?breakAfter=0")
      assert.deepStrictEqual([lost.status, yield* lost.json], [410, { _tag: "Lost", after: 0 }])
    }))

  it.effect("streams server-sent events, with a typed failure at the end", () =>
    Effect.gen(function*() {
      const client = yield* make
      const stream = yield* client.tickets["tickets.Watch"]({ query: { breakAfter: 2 } })
      const seen: Array<number> = []
      const exit = yield* Effect.exit(Stream.runForEach(stream, (n) => Effect.sync(() => void seen.push(n))))
      assert.deepStrictEqual(seen, [1, 2])
      assert.deepStrictEqual(Exit.isFailure(exit) && Cause.squash(exit.cause), new Lost({ after: 2 }))
      const raw = yield* HttpClient.get("/queries/tickets.Watch?breakAfter=1")
      assert.include(raw.headers["content-type"], "text/event-stream")
    }))

  it.effect("describes all of it as OpenAPI", () =>
    Effect.gen(function*() {
      const spec = OpenApi.fromApi(api)
      const served = yield* Effect.flatMap(HttpClient.get("/openapi.json"), (response) => response.json)
      assert.deepStrictEqual(served, JSON.parse(JSON.stringify(spec)))
      const put = spec.paths["/tickets/{id}"]?.put
      assert.strictEqual(put?.operationId, "tickets.Open")
      assert.strictEqual(put?.summary, "Opens a ticket")
      assert.deepStrictEqual(put?.parameters.map(({ in: place, name }) => `${place} ${name}`), [
        "path id",
        "header idempotency-key",
        "header if-match"
      ])
      assert.deepStrictEqual(Object.keys(put?.responses ?? {}), ["201", "400", "403", "409", "412", "422", "503"])
      const close = spec.paths["/tickets/{id}/closing"]?.post
      assert.includeMembers(Object.keys(close?.responses ?? {}), ["200", "404", "422"])
      assert.isUndefined(close?.requestBody)
      const history = spec.paths["/tickets/{id}/history"]?.get
      assert.property(history?.responses[200]?.content, "application/x-ndjson")
      assert.deepStrictEqual(Object.keys(spec.paths).toSorted(), [
        "/commands/tickets.Nudge",
        "/queries/tickets.Count",
        "/queries/tickets.Find",
        "/queries/tickets.Watch",
        "/tickets/{id}",
        "/tickets/{id}/closing",
        "/tickets/{id}/history"
      ])
    }))
})

layer(socket, { excludeTestServices: true })("Domain.toRpcGroup", (it) => {
  it.effect("serves over a socket with the answers and the typed errors that Mediator has", () =>
    Effect.gen(function*() {
      const client = yield* RpcClient.make(group, { flatten: true, disableTracing: true })
      const opened = yield* client("tickets.Open", { id: "r-1", title: "leak" })
      assert.deepStrictEqual(opened, { title: "leak", status: "open", version: 1 })
      assert.deepStrictEqual(yield* Mediator.query(ById, { id: "r-1" }), opened)
      yield* client("tickets.Close", { id: "r-1" })
      for (const id of ["r-1", "r-none"]) {
        const over = yield* Effect.flip(client("tickets.Close", { id }))
        assert.deepStrictEqual(over, yield* Effect.flip(Mediator.send(Close, { id })))
      }
      const exit = yield* Effect.exit(Stream.runCollect(client("tickets.History", { id: "a", breakAfter: 1 })))
      assert.deepStrictEqual(Exit.isFailure(exit) && Cause.squash(exit.cause), new Lost({ after: 1 }))
    }))

  it.effect("reads the command id and the expected version from the headers of a call", () =>
    Effect.gen(function*() {
      const client = yield* RpcClient.make(group, { flatten: true, disableTracing: true })
      const open = (title: string, headers: Record<string, string>) =>
        client("tickets.Open", { id: "r-2", title }, { headers })
      const first = yield* open("one", { "idempotency-key": "k" })
      assert.deepStrictEqual(yield* open("one", { "idempotency-key": "k" }), first)
      const mismatch = yield* Effect.flip(open("two", { "idempotency-key": "k" }))
      assert.strictEqual((mismatch as DomainError.CommandIdMismatch)._tag, "CommandIdMismatch")
      assert.strictEqual((yield* open("two", { "if-match": "\"1\"" })).version, 2)
      for (const stale of ["\"1\"", "W/\"2\"", "two"]) {
        const error = yield* Effect.flip(open("three", { "if-match": stale }))
        assert.strictEqual((error as DomainError.VersionMismatch)._tag, "VersionMismatch", stale)
      }
      assert.strictEqual((yield* open("three", { "if-match": "*" })).version, 3)
      yield* client("tickets.Nudge", { id: "r", times: 1 }, { headers: { "idempotency-key": "rk" } })
      assert.include(nudged, "r 1 rk")
    }))
})

describe("Domain.toHttpHandlers", () => {
  class User extends Context.Service<User, { readonly id: string }>()("test/User") {}
  const signIn = HttpRouter.middleware<{ provides: User }>()((handler) =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      return yield* Effect.provideService(handler, User, { id: request.headers["x-user"] ?? "nobody" })
    })
  )
  const Kept = Command.make("notes.Keep", {
    payload: { id: Schema.String, text: Schema.String },
    success: Schema.String
  })
  const Feed = Query.stream("notes.Feed", { success: Schema.String })
  const notes = [
    Domain.handler(
      Kept,
      ({ text }, { commandId }) =>
        Effect.map(Command.Actor, (actor) => `${Option.getOrNull(actor)} ${text} ${commandId}`)
    ),
    Domain.streamHandler(Feed, () =>
      Stream.fromIterable([1, 2]).pipe(
        Stream.rechunk(1),
        Stream.mapEffect((n) => Effect.map(Command.Actor, (actor) => `${Option.getOrNull(actor)} ${n}`))
      ))
  ] as const
  // Beside endpoints that have nothing to do with commands.
  const whole = HttpApi.make("app")
    .add(HttpApiGroup.make("plain").add(HttpApiEndpoint.get("ping", "/ping", { success: Schema.String })))
    .add(Domain.toHttpGroup("notes", notes).prefix("/v1"))
  const around = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E, User> =>
    Effect.flatMap(User, ({ id }) =>
      self.pipe(
        Effect.provideService(Command.Actor, Option.some(id)),
        Effect.updateService(Command.CommandId, Option.map((key) => `${id}:${key}`))
      ))
  const routes = HttpApiBuilder.layer(whole).pipe(
    Layer.provide(Domain.toHttpHandlers(whole, "notes", { around })),
    Layer.provide(
      HttpApiBuilder.group(whole, "plain", (handlers) => handlers.handle("ping", () => Effect.succeed("pong")))
    ),
    Layer.provide(Domain.toLayer(notes)),
    Layer.provide(signIn.layer)
  )

  layer(
    HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layerTest)
    ),
    { excludeTestServices: true }
  )("in a larger api", (it) => {
    it.effect("runs what was put around it, with what the request gives", () =>
      Effect.gen(function*() {
        const client = yield* HttpApiClient.make(whole, {
          transformClient: HttpClient.mapRequest(HttpClientRequest.setHeader("x-user", "ada"))
        })
        const kept = yield* client.notes["notes.Keep"]({
          payload: { id: "n", text: "hello" },
          headers: { "idempotency-key": "k" }
        })
        assert.strictEqual(kept, "ada hello ada:k")
        const feed = yield* client.notes["notes.Feed"]()
        assert.deepStrictEqual(yield* Stream.runCollect(feed), ["ada 1", "ada 2"])
        assert.strictEqual(yield* client.plain.ping(), "pong")
        assert.strictEqual((yield* HttpClient.get("/v1/queries/notes.Feed")).status, 200)
      }))
  })

  it.effect("refuses a group that has other endpoints", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(
        Domain.toHttpHandlers(whole, "plain") as unknown as Layer.Layer<never>
      )))
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "\"ping\" has no command or query")
    }))
})

describe("the routes of a definition", () => {
  const get = (payload: Schema.Struct.Fields, path?: `/${string}`) =>
    Domain.toHttpApi("x", [Query.make("x.Get", { payload, http: path === undefined ? {} : { path } })])

  it("are refused where a segment is no field, or a field does not fit into a query string", () => {
    assert.throws(() => get({ id: Schema.String }, "/x/:other"), /":other" is none/)
    assert.throws(() => get({ a: Schema.Struct({ b: Schema.String }) }), /"a"/)
    assert.throws(() => get({ a: Schema.Array(Schema.Array(Schema.String)) }), /"a"/)
    assert.throws(() => Domain.toHttpApi("x", [Query.make("x.Get", { payload: Schema.String })]), /no struct/)
    for (const field of [Schema.Int, Schema.Boolean, Schema.Date, Schema.optional(Schema.Literals(["a"]))]) {
      assert.doesNotThrow(() => get({ field }))
    }
    assert.doesNotThrow(() => get({ a: Schema.fromJsonString(Schema.Struct({ b: Schema.String })) }))
  })

  it("may be of a payload that is no struct, or nothing", () => {
    const paths = OpenApi.fromApi(Domain.toHttpApi("x", [
      Command.make("x.Text", { payload: Schema.String }),
      Command.make("x.Nothing"),
      Query.make("x.Query", { payload: { a: Schema.Struct({}) }, http: { method: "QUERY", path: "/x" } })
    ])).paths
    assert.isDefined(paths["/commands/x.Text"]?.post?.requestBody)
    assert.isUndefined(paths["/commands/x.Nothing"]?.post?.requestBody)
    assert.deepStrictEqual(Object.keys(paths), ["/commands/x.Text", "/commands/x.Nothing", "/x"])
  })

  it("declare their errors as the option says", () => {
    const seen: Array<string> = []
    Domain.toHttpApi("x", [Close], {
      error: (error) => {
        seen.push(SchemaAST.resolveIdentifier(error.ast) ?? "")
        return error
      }
    })
    assert.deepStrictEqual(seen, [
      "TicketNotFound",
      "TicketClosed",
      "StoreUnavailable",
      "ConcurrencyConflict",
      "VersionMismatch",
      "CommandIdMismatch",
      "CommandInProgress",
      "Refused",
      "InvalidPayload"
    ])
  })

  it.effect("answer a request that does not decode as their table of errors has it", () =>
    Effect.gen(function*() {
      const Problem = Schema.Struct({ _tag: Schema.String, name: Schema.String })
      const api = Domain.toHttpApi("x", ticketHandlers, {
        error: () =>
          HttpApiSchema.asJson({ contentType: "application/problem+json" })(HttpApiSchema.status(499)(Problem))
      })
      const routes = HttpApiBuilder.layer(api).pipe(
        Layer.provide(Domain.toHttpHandlers(api, "x")),
        Layer.provide([installed, HttpServer.layerServices])
      )
      const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
      const response = yield* Effect.promise(() =>
        handler(new Request("http://localhost/queries/tickets.Count?words=a"))
      )
      assert.deepStrictEqual([response.status, response.headers.get("content-type")], [499, "application/problem+json"])
      assert.deepStrictEqual(yield* Effect.promise(() => response.json()), {
        _tag: "InvalidPayload",
        name: "tickets.Count"
      })
      yield* Effect.promise(dispose)
    }))
})
