/**
 * Effect's router, which also remembers what paths it has, and what methods they have.
 */
import { Effect, Layer } from "effect"
import { FindMyWay, HttpRouter } from "effect/http"
import type { Known } from "../RouteMatch.ts"

/** The methods that a URL's path answers, in the usual order; none where no route has that path. */
export interface MethodIndex {
  readonly find: (url: string) => ReadonlyArray<string>
  readonly all: () => ReadonlyArray<string>
  /** The template of the route that answers, such as `/users/:id`. */
  readonly routeOf: (method: string, url: string) => string | undefined
  /** As they were declared. */
  readonly routes: () => ReadonlyArray<Known>
}

export const routable = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] as const

export const layer = (publish: (index: MethodIndex) => void): Layer.Layer<HttpRouter.HttpRouter> =>
  Layer.effect(
    HttpRouter.HttpRouter,
    Effect.gen(function*() {
      const config = yield* HttpRouter.RouterConfig
      const router = yield* HttpRouter.make
      const paths = FindMyWay.make<string>(config)
      const used = new Set<string>()
      const routes: Array<Known> = []
      const remember = (method: string, path: HttpRouter.PathInput, beside: boolean) => {
        routes.push({ method, path, beside })
        const methods: ReadonlyArray<string> = method === "*" ? routable : [method]
        for (const each of methods) used.add(each)
        paths.on(methods, path, path)
        if (path.endsWith("/*")) paths.on(methods, pathOf(path.slice(0, -2)), path)
      }
      const ordered = (has: (method: string) => boolean) => {
        const found = routable.filter((method) => has(method) || (method === "HEAD" && has("GET")))
        return found.length === 0 || found.includes("OPTIONS") ? found : [...found, "OPTIONS"]
      }
      publish({
        find: (url) => ordered((method) => paths.find(method, url) !== undefined),
        all: () => ordered((method) => used.has(method)),
        routeOf: (method, url) =>
          (paths.find(method, url) ?? (method === "HEAD" ? paths.find("GET", url) : undefined))?.handler,
        routes: () => routes
      })
      return Object.assign(instrument(router, "", (method, path) => remember(method, path, false)), {
        [Beside]: instrument(router, "", (method, path) => remember(method, path, true))
      })
    })
  )

const Beside = Symbol("effect-lifecycle/server/instrumentedRouter/Beside")

/** The same router for routes that pass none of the stages around routes. It stands below {@link layer}. */
export const beside: Layer.Layer<HttpRouter.HttpRouter, never, HttpRouter.HttpRouter> = Layer.effect(
  HttpRouter.HttpRouter,
  Effect.map(
    HttpRouter.HttpRouter,
    (router) => Beside in router ? router[Beside] as HttpRouter.HttpRouter : router
  )
)

const instrument = (
  router: HttpRouter.HttpRouter,
  prefix: string,
  remember: (method: string, path: HttpRouter.PathInput) => void
): HttpRouter.HttpRouter => ({
  ...router,
  prefixed: (more) => instrument(router.prefixed(more), HttpRouter.prefixPath(more, prefix), remember),
  add: (method, path, handler, options) => {
    remember(method, pathOf(HttpRouter.prefixPath(path, prefix)))
    return router.add(method, path, handler, options)
  },
  addAll: (routes) => {
    for (const route of routes) remember(route.method, pathOf(HttpRouter.prefixPath(route.path, prefix)))
    return router.addAll(routes)
  }
})

const pathOf = (path: string): HttpRouter.PathInput =>
  path === "*" ? path : path.startsWith("/") ? path as `/${string}` : `/${path}`
