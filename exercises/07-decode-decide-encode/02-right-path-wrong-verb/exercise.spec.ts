import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { HttpServerRequest } from "effect/http"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { allowed, type App, isNotFound, withMethods } from "./exercise.ts"
import { router, routes } from "./routes.ts"

const ask = (method: string, path: string) =>
  Effect.gen(function*() {
    const app = yield* router
    const request = HttpServerRequest.fromWeb(new Request(`http://orders.internal${path}`, { method }))
    return yield* withMethods(routes, app as App).pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, request),
      Effect.exit
    )
  }).pipe(Effect.scoped)

const answer = (method: string, path: string) =>
  Effect.map(ask(method, path), (exit) => {
    const response = expectSuccess(exit, `${method} ${path} must be answered.`)
    return { status: response.status, allow: response.headers["allow"] }
  })

const notFound = (method: string, path: string) =>
  Effect.map(ask(method, path), (exit) => {
    const status = Exit.isSuccess(exit) ? exit.value.status : 404
    check(Exit.isFailure(exit), `No route has ${path}, so ${method} must fail as before. Seen: ${status}.`)
    const error = expectFailure(exit, `No route has ${path}, so ${method} must fail as before.`)
    check(isNotFound(error), `No route has ${path}, so ${method} fails with RouteNotFound. Seen: ${String(error)}.`)
  })

describe("a: what is found is answered, what is not known is not", () => {
  it.effect("routes", () =>
    Effect.gen(function*() {
      for (
        const [method, path] of [["GET", "/orders"], ["GET", "/orders/7?full=1"], ["DELETE", "/orders/7"]] as const
      ) {
        const { allow, status } = yield* answer(method, path)
        assert.strictEqual(status, 200, `${method} ${path} has a route.`)
        assert.isUndefined(allow, `${method} ${path} has a route, so its answer needs no Allow.`)
      }
      assert.strictEqual((yield* answer("HEAD", "/orders")).status, 200, "HEAD is answered by the route of GET.")
    }))

  it.effect("the 404 of a handler", () =>
    Effect.gen(function*() {
      const { allow, status } = yield* answer("GET", "/orders/none")
      assert.strictEqual(status, 404, "The handler says that there is no such order, and is right.")
      assert.isUndefined(allow, "An order that is not there needs no other verb.")
    }))

  it.effect("unknown paths", () =>
    Effect.forEach(
      ["/", "/order", "/orders/7/lines", "/orders/7/lines/1/x", "/refunds?x=/orders"],
      (path) => Effect.all([notFound("GET", path), notFound("POST", path), notFound("OPTIONS", path)])
    ))
})

describe("b: a wrong verb on a known path is 405, with the verbs of this path", () => {
  it.effect("and only there", () =>
    Effect.gen(function*() {
      yield* notFound("POST", "/refunds")
      const { status } = yield* answer("GET", "/orders/none")
      assert.strictEqual(status, 404, "The handler says that there is no such order, and is right.")
    }))

  const wrong: ReadonlyArray<readonly [method: string, path: string, allow: string]> = [
    ["DELETE", "/orders", "GET, HEAD, POST, OPTIONS"],
    ["PATCH", "/orders?page=2", "GET, HEAD, POST, OPTIONS"],
    ["POST", "/orders/7", "GET, HEAD, DELETE, OPTIONS"],
    ["POST", "/orders/none", "GET, HEAD, DELETE, OPTIONS"],
    ["GET", "/orders/7/lines/2", "PUT, OPTIONS"],
    ["HEAD", "/orders/7/lines/2", "PUT, OPTIONS"],
    ["HEAD", "/payments", "POST, OPTIONS"],
    ["PUT", "/payments", "POST, OPTIONS"]
  ]
  for (const [method, path, allow] of wrong) {
    it.effect(`${method} ${path}`, () =>
      Effect.gen(function*() {
        const exit = yield* ask(method, path)
        check(Exit.isSuccess(exit), `${method} ${path}: the path has other verbs, so it is 405. Seen: not found.`)
        const response = exit.value
        assert.strictEqual(response.status, 405, `${method} ${path}: the path is known and the verb is wrong.`)
        assert.strictEqual(response.headers["allow"], allow, `${method} ${path}: Allow lists the verbs of this path.`)
      }))
  }
})

describe("c: OPTIONS asks what there is", () => {
  for (const [path, allow] of [["/orders", "GET, HEAD, POST, OPTIONS"], ["/payments?x=1", "POST, OPTIONS"]] as const) {
    it.effect(path, () =>
      Effect.gen(function*() {
        const exit = yield* ask("OPTIONS", path)
        check(Exit.isSuccess(exit), `OPTIONS ${path} is answered where the path has any verb. Seen: not found.`)
        assert.strictEqual(exit.value.status, 204, `OPTIONS ${path} is answered with 204.`)
        assert.strictEqual(exit.value.headers["allow"], allow, `OPTIONS ${path}: Allow lists the verbs of this path.`)
      }))
  }
})

describe("d: the verbs of a path", () => {
  it("from any routes", () => {
    const table = [
      { method: "PATCH", path: "/a/:id" },
      { method: "OPTIONS", path: "/a/:id" },
      { method: "POST", path: "/a/new" },
      { method: "GET", path: "/:anything/b.c" }
    ] as const
    const said = (path: string) => allowed(table, path).join(", ")
    assert.strictEqual(said("/a/1"), "PATCH, OPTIONS", "A part with a colon stands for any part, and OPTIONS is once.")
    assert.strictEqual(
      said("/a/new"),
      "POST, PATCH, OPTIONS",
      "Two routes have this path, and the order is the given one."
    )
    assert.strictEqual(said("/x/b.c"), "GET, HEAD, OPTIONS", "A part with a colon may come first.")
    assert.strictEqual(said("/x/bxc"), "", "A dot in a route is a dot: no route has /x/bxc, and so it has no verbs.")
    assert.strictEqual(said("/a/"), "", "A part with a colon stands for a part that is not empty.")
  })
})
