/**
 * Names routes by method and template, for the stages that treat some routes differently.
 *
 * `"POST /orders"` is that method of that template, `"/docs"` every method of it, and a template that ends in `/*` also
 * means everything below. The template is the one the route was declared with, such as `/users/:id`.
 *
 * A name that fits nothing would leave a route open that was to be guarded, and nobody would hear of it. So {@link make}
 * throws `InvalidOption` for what can be no name, such as `GET /users/{id}` or `POST orders`, and `ServerStack.serve` does
 * not start where a stage was given a name that no route of the server has. The message has the nearest ones.
 *
 * **Gotchas**
 *
 * - Names are compared with templates, not with addresses: a route `/*` is not below `/admin/*`, and `GET /files` is not
 *   the name of a route for every method. `HEAD` is answered by the route of `GET` and goes by its name.
 * - `/health/*` and `/metrics` pass no stage around routes: there they can be named in `exempt` only.
 * - For a list that several servers share, of which none has all the routes, give a test where a list is taken:
 *   `RouteMatch.make(names)` is one. Then nobody looks whether the names fit.
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
 * assert.throws(() => RouteMatch.make(["GET /users/{id}"]), /such as "POST \/orders"/)
 * ```
 *
 * @since 0.1.0
 */
import { InvalidOption } from "../resilience/InvalidOption.ts"
import { nearest } from "./internal/nearestNames.ts"

/**
 * The part of a route that is looked at.
 *
 * @category models
 * @since 0.1.0
 */
export interface Named {
  /** `*` is every method. */
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
 * What a refusal says of where names were given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place {
  /** Such as `Scopes.stage`. */
  readonly module: string
  readonly option: string
}

/**
 * The names that a stage was given. `ServerStack` looks whether there are such routes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Given extends Place {
  readonly names: ReadonlyArray<string>
  /** Whether a route beside the stages, such as `/metrics`, may be named: what is exempt there is so in any case. */
  readonly beside?: boolean | undefined
}

/**
 * A route of a server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Known extends Named {
  /** Whether it passes none of the stages around routes. */
  readonly beside: boolean
}

/**
 * The test for a list of names. What it said about a route it remembers. Throws `InvalidOption` for what can be no name.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (routes: Routes, place: Place = { module: "RouteMatch.make", option: "routes" }): (
  route: Named
) => boolean => {
  if (typeof routes === "function") return routes
  const names = routes.map((name) => parse(name, place))
  const known = new WeakMap<object, boolean>()
  return (route) => {
    const before = known.get(route)
    if (before !== undefined) return before
    const answer = names.some((name) => fits(name, route))
    known.set(route, answer)
    return answer
  }
}

/**
 * What a stage tells `ServerStack` of the names it was given: nothing where there is a test, or none.
 *
 * @category constructors
 * @since 0.1.0
 */
export const given = (
  place: Place,
  routes: Routes | undefined,
  options: { readonly beside?: boolean | undefined } = {}
): ReadonlyArray<Given> =>
  routes === undefined || typeof routes === "function" ? [] : [{ ...place, names: routes, beside: options.beside }]

/**
 * Throws `InvalidOption` for the first name that no route has.
 *
 * @category validation
 * @since 0.1.0
 */
export const check = ({ beside, module, names, option }: Given, routes: ReadonlyArray<Known>): void => {
  const usable = routes.filter((route) => beside === true || !route.beside)
  for (const text of names) {
    const name = parse(text, { module, option })
    if (usable.some((route) => fits(name, route))) continue
    const near = nearest(text, usable.map(({ method, path }) => method === "*" ? path : `${method} ${path}`))
    const others = near.length === 0 ? "there is none" : `the nearest: ${near.join(", ")}`
    const passesBy = routes.some((route) => fits(name, route)) ? "; this one passes no stage around routes" : ""
    throw new InvalidOption({
      module,
      option,
      value: JSON.stringify(text),
      allowed: `names of routes that this server has (${others}${passesBy})`
    })
  }
}

interface Name {
  readonly method: string | undefined
  readonly path: string
}

const fits = (name: Name, { method, path }: Named): boolean => {
  const template = path === "*" ? "/*" : path
  return (name.method === undefined || name.method === method) &&
    (name.path === template || (name.path.endsWith("/*") && template.startsWith(name.path.slice(0, -1))))
}

const methods: ReadonlyArray<string> = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "QUERY",
  "TRACE"
]

const parse = (text: string, { module, option }: Place): Name => {
  if (typeof text === "string") {
    const space = text.indexOf(" ")
    const method = space < 0 ? undefined : text.slice(0, space).toUpperCase()
    const path = text.slice(space + 1)
    if ((method === undefined || methods.includes(method)) && isTemplate(path)) return { method, path }
  }
  throw new InvalidOption({
    module,
    option,
    value: JSON.stringify(text) ?? String(text),
    allowed:
      "names of routes such as \"POST /orders\", \"/users/:id\" or \"/docs/*\": a method and a space or neither, " +
      `then the path as the route was declared, from its first slash on; methods are ${methods.join(", ")}`
  })
}

/** In the brackets of a parameter stands an expression, which may hold anything, and an optional one ends in `?`. */
const isTemplate = (path: string): boolean =>
  // oxlint-disable-next-line no-control-regex
  /^\/[^\s\u0000-\u001f{}?#"<>\\^`|*]*\*?$/.test(
    path.replaceAll(/\((?:[^()]|\([^()]*\))*\)/g, "").replace(/(:[^/?]+)\?$/, "$1")
  )
