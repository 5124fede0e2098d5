import type { Duration } from "effect"
import type { Received } from "./upstreamJournal.ts"

interface Head {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly latency: Duration.Input
}

/**
 * One scripted answer; build it with the functions of `FakeUpstream`.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer =
  | Head & { readonly _tag: "Respond" }
  | Head & { readonly _tag: "Half"; readonly bytes: number }
  | Head & { readonly _tag: "Trickle"; readonly bytes: number; readonly every: Duration.Input }
  | { readonly _tag: "Reset"; readonly latency: Duration.Input }
  | { readonly _tag: "Close"; readonly latency: Duration.Input }
  | { readonly _tag: "Never" }

/**
 * What an upstream answers:
 *
 * - one answer, to every request;
 * - a list, one answer a request; the last one stays;
 * - a record from `"/path"` or `"METHOD /path"` to one of these, each with its own count. `"*"` takes the rest; without it
 *   the rest is answered 404;
 * - a function of the request.
 *
 * @category models
 * @since 0.1.0
 */
export type Script =
  | Answer
  | ReadonlyArray<Answer>
  | { readonly [path: string]: Answer | ReadonlyArray<Answer> }
  | ((request: Received) => Answer)

const notScripted: Answer = { _tag: "Respond", status: 404, headers: {}, body: new Uint8Array(0), latency: 0 }

/** The script as a function that counts. */
export const player = (script: Script): (request: Received) => Answer => {
  if (typeof script === "function") return script
  if (isAnswers(script)) return inOrder(script)
  const byPath = new Map(Object.entries(script).map(([path, answers]) => [path, inOrder(answers)]))
  return (request) =>
    (byPath.get(`${request.method} ${request.path}`) ?? byPath.get(request.path) ?? byPath.get("*"))?.(request) ??
      notScripted
}

const isAnswers = (script: Exclude<Script, Function>): script is Answer | ReadonlyArray<Answer> =>
  Array.isArray(script) || typeof script["_tag" as keyof typeof script] === "string"

const inOrder = (answers: Answer | ReadonlyArray<Answer>): (request: Received) => Answer => {
  if ("_tag" in answers) return () => answers
  let next = 0
  return () => answers[Math.min(next++, answers.length - 1)] ?? notScripted
}
