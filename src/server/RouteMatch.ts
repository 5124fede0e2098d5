/**
 * Names routes by method and template, for the stages that treat some routes differently.
 *
 * `"POST /orders"` is that method of that template, `"/docs"` every method of it, and a template that ends in `/*` also
 * means everything below. The template is the one the route was declared with, such as `/users/:id`.
 *
 * @example
 * ```ts
 * import { RouteMatch } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const matches = RouteMatch.make(["POST /orders", "/docs/*"])
 * assert.ok(matches({ method: "POST", path: "/orders" }))
 * assert.ok(!matches({ method: "GET", path: "/orders" }))
 * assert.ok(matches({ method: "GET", path: "/docs/scalar" }))
 * ```
 *
 * @since 0.1.0
 */

/**
 * The part of a route that is looked at.
 *
 * @category models
 * @since 0.1.0
 */
export interface Named {
  readonly method: string
  readonly path: string
}

/**
 * Names of routes, or a test of one.
 *
 * @category models
 * @since 0.1.0
 */
export type Routes = ReadonlyArray<string> | ((route: Named) => boolean)

/**
 * The test for a list of names. What it said about a route it remembers.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (routes: Routes): (route: Named) => boolean => {
  if (typeof routes === "function") return routes
  const names = routes.map((name) => {
    const space = name.indexOf(" ")
    return { method: space < 0 ? undefined : name.slice(0, space).toUpperCase(), path: name.slice(space + 1) }
  })
  const known = new WeakMap<object, boolean>()
  return (route) => {
    const before = known.get(route)
    if (before !== undefined) return before
    const answer = names.some((name) =>
      (name.method === undefined || name.method === route.method) &&
      (name.path === route.path || (name.path.endsWith("/*") && route.path.startsWith(name.path.slice(0, -1))))
    )
    known.set(route, answer)
    return answer
  }
}
