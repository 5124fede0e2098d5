/**
 * What one request did, in every service it reached: the parts that each service remembers, put in order.
 *
 * A {@link Part} is what one service knows of one request id: the request it answered with its stages, and beside them the
 * commands, calls to other services and steps of sagas that were done for it. {@link join} puts the parts of all services
 * together: a request stands below the call that caused it. {@link render} draws the whole as lines for a terminal.
 *
 * Parts are found by their request id alone. Which call caused which request is then read from method, route and time: the
 * nearest call that fits. Clocks of two machines are not trusted with it: a part that does not lie within its call is moved
 * to the middle of it, as `Timeline.merge` does, and keeps its durations.
 *
 * **Gotchas**
 *
 * - A part holds route templates, names, statuses and times. There is no path, header, body or payload in it.
 * - A call without a route template can only be told by its method and its time.
 * - Two requests that were sent at the same moment with the same route may change places; what they did stays with them.
 *
 * @example
 * ```ts
 * import { Story } from "effect-lifecycle/lifecycle"
 * import assert from "node:assert/strict"
 *
 * const request = { method: "GET", route: "/users/:id", status: 200, outcome: "ok", stage: null, userId: null } as const
 * const users: Story.Part = {
 *   id: "users-1", service: "users", requestId: "r-1", startedAt: 1004, durationMillis: 3,
 *   request, stages: [], steps: [], dropped: 0
 * }
 * const orders: Story.Part = {
 *   ...users, id: "orders-1", service: "orders", startedAt: 1000, durationMillis: 10,
 *   request: { ...request, route: "/orders/:id" },
 *   steps: [{
 *     kind: "call", name: "GET /users/{id}", outcome: "200", failed: false, startMillis: 2, durationMillis: 6,
 *     call: { method: "GET", endpoint: "http://users:4100", route: "/users/{id}", attempt: null }
 *   }]
 * }
 *
 * const story = Story.join([users, orders])
 * assert.deepEqual(story.parts.map(({ depth, part }) => [part.service, depth]), [["orders", 0], ["users", 1]])
 * assert.match(Story.render(story), /orders +GET \/orders\/:id/)
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import * as storyJoin from "./internal/storyJoin.ts"
import * as storyLines from "./internal/storyLines.ts"
import { renderStory } from "./internal/storyText.ts"
import { StageName } from "./Stage.ts"
import { Entry } from "./Timeline.ts"

/**
 * Something that was done for a request.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Step = Schema.Struct({
  kind: Schema.Literals(["command", "query", "stream", "event", "call", "attempt", "saga", "note"]),
  name: Schema.String,
  /** A word or two: a status, `success`, the tag of an error. */
  outcome: Schema.String,
  failed: Schema.Boolean,
  /** Since the start of its part. */
  startMillis: Schema.Finite,
  durationMillis: Schema.Finite,
  /** Whom a call, or one attempt of it, went to. */
  call: Schema.optionalKey(Schema.Struct({
    method: Schema.String,
    /** Scheme, host and port. */
    endpoint: Schema.String,
    route: Schema.NullOr(Schema.String),
    /** The number of the attempt; `null` for the call as a whole. */
    attempt: Schema.NullOr(Schema.Int)
  }))
})

/**
 * Something that was done for a request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step extends Schema.Schema.Type<typeof Step> {}

/**
 * The request that a service answered, or is answering.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Answered = Schema.Struct({
  method: Schema.String,
  /** The route's template; `null` where none matched, or as long as it is running. */
  route: Schema.NullOr(Schema.String),
  /** `null` as long as it is running. */
  status: Schema.NullOr(Schema.Int),
  outcome: Schema.Literals(["ok", "failed", "aborted", "running"]),
  /** The stage that answered, where it was not the handler. */
  stage: Schema.NullOr(StageName),
  userId: Schema.NullOr(Schema.String)
})

/**
 * The request that a service answered, or is answering.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answered extends Schema.Schema.Type<typeof Answered> {}

/**
 * What one service knows of one request.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Part = Schema.Struct({
  /** No other part of the service has it. */
  id: Schema.String,
  service: Schema.String,
  requestId: Schema.String,
  /** Milliseconds since 1970, with a fraction. */
  startedAt: Schema.Finite,
  /** So far, where it is running. */
  durationMillis: Schema.Finite,
  /** `null` for what was done in the background, before or after the service answered. */
  request: Schema.NullOr(Answered),
  /** In the order they began. Those of the listener lie before the start of the part. */
  stages: Schema.Array(Entry),
  /** In the order they began. */
  steps: Schema.Array(Step),
  /** How many further steps were not kept. */
  dropped: Schema.Int
})

/**
 * What one service knows of one request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part extends Schema.Schema.Type<typeof Part> {}

/**
 * A part in its place.
 *
 * @category models
 * @since 0.1.0
 */
export interface Placed {
  readonly part: Part
  /** How many calls lie between the first request and this one. */
  readonly depth: number
  /** When the part began, since the start of the story. */
  readonly startMillis: number
  /** The part whose call this one answered, and which of its steps that was. */
  readonly cause: { readonly partId: string; readonly service: string; readonly step: number } | undefined
}

/**
 * All parts of one request, a caller before those it called.
 *
 * @category models
 * @since 0.1.0
 */
export interface Story {
  readonly parts: ReadonlyArray<Placed>
  /** From the first start to the last end. */
  readonly durationMillis: number
}

/**
 * Puts the parts of one request in order. A part that is given twice counts once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const join = (parts: Iterable<Part>): Story => storyJoin.join(parts)

/**
 * The services of a story, in the order they were reached.
 *
 * @category getters
 * @since 0.1.0
 */
export const services = (story: Story): ReadonlyArray<string> =>
  Array.from(new Set(story.parts.map(({ part }) => part.service)))

/**
 * One line of a story.
 *
 * @category models
 * @since 0.1.0
 */
export interface Line {
  /** A whole part, a stage of it, or something that was done. */
  readonly kind: "part" | "stage" | "step"
  readonly service: string
  /** The stage, where it is one. */
  readonly stage: StageName | null
  readonly what: string
  /** A status, a word; `""` where there is nothing to say. */
  readonly outcome: string
  readonly failed: boolean
  /** How deep it stands below what it was done within. */
  readonly depth: number
  /** Since the start of the story. */
  readonly startMillis: number
  readonly durationMillis: number
}

/**
 * The story as lines, in order: a part, its stages and what it did by their times, each below what it was done within, and a
 * part that a call caused below that call.
 *
 * @category rendering
 * @since 0.1.0
 */
export const lines = (story: Story): ReadonlyArray<Line> => storyLines.lines(story)

/**
 * The time since the start of the story, the service, what it did, what became of it, how long it took, and a bar at its
 * place in time: a line for each, what was done within something else indented below it.
 *
 * @category rendering
 * @since 0.1.0
 */
export const render = (story: Story, options?: {
  /** Columns of the terminal; 100 when absent, never less than 60 or more than 300. */
  readonly width?: number | undefined
  /** Use ANSI colours; off when absent. */
  readonly color?: boolean | undefined
}): string => renderStory(story, { width: options?.width ?? 100, color: options?.color ?? false })
