/**
 * The answers of the stages in an OpenAPI document: a transformation of what `effect/http-api` generates, which knows
 * endpoints and nothing of what stands around them.
 */
import { Predicate } from "effect"
import type { Row } from "../Problems.ts"
import * as RouteMatch from "../RouteMatch.ts"
import * as causes from "./problemCause.ts"
import * as documents from "./problemDocument.ts"

type Json = Record<string, unknown>

/** One status that an operation may answer, and what it then means. */
interface Answer {
  readonly status: number
  readonly title: string
}

export interface Settings {
  readonly rows: { readonly [tag: string]: Row }
  readonly exempt: RouteMatch.Routes
  readonly answers: { readonly [tag: string]: true | RouteMatch.Routes | undefined }
}

const module = "Problems.openApi"
const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"] as const
const schemaName = "ServerStackProblem"
const securityName = "bearer"

export const make = ({ answers, exempt, rows }: Settings): (spec: Json) => Json => {
  const isExempt = RouteMatch.make(exempt, { module, option: "exempt" })
  const of = (tag: string): Answer => {
    const row = Object.hasOwn(rows, tag) ? rows[tag] : undefined
    if (row === undefined) {
      throw new Error(`Problems.openApi: no row of the table has the tag "${tag}": add one, or leave it out`)
    }
    return { status: row.status, title: row.title }
  }
  const named = Object.entries(answers).flatMap(([tag, routes]) =>
    routes === undefined
      ? []
      : [{
        ...of(tag),
        matches: routes === true
          ? () => true
          : RouteMatch.make(routes, { module, option: `answers.${tag}` })
      }]
  )
  const everywhere = [causes.internal.document, causes.shuttingDown.document, of("DeadlineExceeded")]
  const withBody = [causes.brokenJson.document, of("BodyTooLarge"), of("UnsupportedMediaType")]
  const withInput = [causes.invalidRequest]
  const withToken = [of("Unauthorized")]

  const operation = (method: string, path: string, operation: Json): Json => {
    const route = { method: method.toUpperCase(), path: path.replaceAll(/\{([^}]*)\}/g, ":$1") }
    const needsToken = !isExempt(route)
    const hasBody = operation["requestBody"] !== undefined
    const hasInput = hasBody || listOf(operation["parameters"]).length > 0
    const own = listOf(operation["security"])
    return {
      ...operation,
      security: own.length === 0 && needsToken ? [{ [securityName]: [] }] : own,
      responses: [
        ...hasBody ? withBody : [],
        ...needsToken ? withToken : [],
        ...hasInput ? withInput : [],
        ...named.filter(({ matches }) => matches(route)),
        ...everywhere
      ].reduce(add, recordOf(operation["responses"]))
    }
  }

  return (spec) => {
    const components = recordOf(spec["components"])
    return {
      ...spec,
      paths: mapped(
        recordOf(spec["paths"]),
        (item, path) =>
          mapped(
            recordOf(item),
            (value, key) => methods.some((method) => method === key) ? operation(key, path, recordOf(value)) : value
          )
      ),
      components: {
        ...components,
        schemas: { ...recordOf(components["schemas"]), [schemaName]: schema },
        securitySchemes: {
          [securityName]: { type: "http", scheme: "bearer" },
          ...recordOf(components["securitySchemes"])
        }
      }
    }
  }
}

/** Beside what the endpoint says of the same status, which stays. */
const add = (responses: Json, { status, title }: Answer): Json => {
  const before = recordOf(responses[status])
  const said = before["description"]
  const titles = typeof said === "string" && said !== "" ? said.split("; ") : []
  const content = recordOf(before["content"])
  const media = recordOf(content[documents.contentType])
  const headers = { ...recordOf(before["headers"]), ...headersOf[status] }
  return {
    ...responses,
    [status]: {
      ...before,
      description: titles.includes(title) ? titles.join("; ") : [...titles, title].join("; "),
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
      content: { ...content, [documents.contentType]: { ...media, schema: either(media["schema"]) } }
    }
  }
}

const reference = { $ref: `#/components/schemas/${schemaName}` }

const either = (schema: unknown): unknown => {
  if (schema === undefined) return reference
  const known = recordOf(schema)
  if (known["$ref"] === reference.$ref) return schema
  const parts = Object.keys(known).length === 1 && Array.isArray(known["anyOf"]) ? known["anyOf"] : [schema]
  return parts.some((part) => recordOf(part)["$ref"] === reference.$ref) ? schema : { anyOf: [...parts, reference] }
}

const text = { schema: { type: "string" } }
const headersOf: { readonly [status: number]: Json } = {
  401: { "www-authenticate": text },
  429: { "retry-after": text },
  503: { "retry-after": text }
}

const schema = {
  type: "object",
  description: "A problem document (RFC 9457)",
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string" },
    requestId: { type: "string", description: "The id of the request, as in the header x-request-id" },
    stage: { type: "string", description: "The stage of the road that answered" },
    errors: {
      type: "array",
      description: "The fields that are wrong",
      items: {
        type: "object",
        properties: {
          detail: { type: "string" },
          pointer: { type: "string", description: "A JSON Pointer into the part of the request that `in` names" },
          in: { type: "string", enum: ["path", "query", "header", "body"] }
        },
        required: ["detail", "pointer"]
      }
    }
  },
  required: ["type", "title", "status", "instance", "requestId", "stage"],
  additionalProperties: true
}

const recordOf = (value: unknown): Json => Predicate.isObject(value) && !Array.isArray(value) ? value as Json : {}

const listOf = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const mapped = (record: Json, f: (value: unknown, key: string) => unknown): Json =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]))
