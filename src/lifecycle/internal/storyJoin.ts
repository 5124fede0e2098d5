/** Which call caused which request, and where in time each part lies. */
import type { Part, Placed, Step, Story } from "../Story.ts"

interface Node {
  readonly part: Part
  readonly children: Array<Node>
  cause: { readonly node: Node; readonly step: number } | undefined
  startMillis: number
}

/** Templates differ in how they write a parameter: `/users/{id}` is what `/users/:id` answers. */
const normalised = (route: string): string => route.replace(/\{[^/}]*\}|:[^/]+/g, ":")

/** Clocks of one machine agree to less than this; those of two may be further apart. */
const toleranceMillis = 2

const isBelow = (node: Node, other: Node): boolean => {
  for (let at: Node | undefined = node; at !== undefined; at = at.cause?.node) if (at === other) return true
  return false
}

/** How far apart call and request lie, or `undefined` where the one cannot have caused the other. */
const distance = (caller: Part, step: Step, part: Part): number | undefined => {
  const { call } = step
  const { request } = part
  if (call === undefined || request === null || call.method !== request.method) return undefined
  const sameRoute = call.route !== null && request.route !== null &&
    normalised(call.route) === normalised(request.route)
  const start = caller.startedAt + step.startMillis
  const within = part.startedAt >= start - toleranceMillis &&
    part.startedAt <= start + step.durationMillis + toleranceMillis
  // A request that no route matched, or whose caller named none, has only its time to go by: the whole of it, or the
  // request that made the call could pass for the one that answered it.
  const unnamed = (call.route === null || request.route === null) &&
    part.durationMillis <= step.durationMillis + toleranceMillis
  return sameRoute || (unnamed && within) ? Math.abs(part.startedAt - start) + (within ? 0 : 1e9) : undefined
}

/** Each attempt of a call is a request of its own. */
const isAttempt = (step: Step): boolean => step.kind === "attempt"

export const join = (parts: Iterable<Part>): Story => {
  const unique = new Map<string, Part>()
  for (const part of parts) unique.set(`${part.service} ${part.id} ${part.startedAt}`, part)
  const nodes = Array.from(unique.values())
    .sort((a, b) => a.startedAt - b.startedAt || b.durationMillis - a.durationMillis)
    .map((part): Node => ({ part, children: [], cause: undefined, startMillis: 0 }))

  // The pairs that lie nearest to each other first; each attempt reaches a service once.
  const pairs = nodes.flatMap((node) =>
    nodes.flatMap((caller) => {
      const { steps } = caller.part
      const attempts = steps.some(isAttempt)
      return caller === node ? [] : steps.flatMap((step, index) => {
        const apart = (attempts ? isAttempt(step) : step.kind === "call")
          ? distance(caller.part, step, node.part)
          : undefined
        return apart === undefined ? [] : [{ node, caller, index, apart }]
      })
    })
  ).sort((a, b) => a.apart - b.apart)
  const taken = new Set<Step>()
  for (const { caller, index, node } of pairs) {
    const step = caller.part.steps[index]
    if (step === undefined || node.cause !== undefined || taken.has(step) || isBelow(caller, node)) continue
    taken.add(step)
    node.cause = { node: caller, step: index }
    caller.children.push(node)
  }

  const roots = nodes.filter((node) => node.cause === undefined)
  const zero = roots[0]?.part.startedAt ?? 0
  const placed: Array<Placed> = []
  const place = (node: Node, depth: number): void => {
    const { cause, part } = node
    node.startMillis = cause === undefined ? part.startedAt - zero : within(cause, part)
    placed.push({
      part,
      depth,
      startMillis: node.startMillis,
      cause: cause === undefined
        ? undefined
        : { partId: cause.node.part.id, service: cause.node.part.service, step: cause.step }
    })
    node.children.sort((a, b) => (a.cause?.step ?? 0) - (b.cause?.step ?? 0))
    for (const child of node.children) place(child, depth + 1)
  }
  for (const root of roots) place(root, 0)
  const end = placed.reduce((latest, { part, startMillis }) => Math.max(latest, startMillis + part.durationMillis), 0)
  return { parts: placed, durationMillis: end }
}

/** Where the part lies within the call that caused it, by its own clock where that makes sense. */
const within = (cause: NonNullable<Node["cause"]>, part: Part): number => {
  const caller = cause.node.part
  const step = caller.steps[cause.step]
  if (step === undefined) return cause.node.startMillis
  const start = step.startMillis
  const own = part.startedAt - caller.startedAt
  const fits = own >= start - toleranceMillis &&
    own + part.durationMillis <= start + step.durationMillis + toleranceMillis
  const spare = Math.max(0, step.durationMillis - part.durationMillis)
  return cause.node.startMillis + (fits ? own : start + spare / 2)
}
