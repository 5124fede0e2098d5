// fails: d - keeps one child for each visit, and the last one wins
import type { ServiceName } from "../shop.ts"
import type { Visit } from "../solution.ts"

export { call, logs, receive } from "../solution.ts"

interface Line {
  readonly time: string
  readonly message: string
  readonly service: string
  readonly request_id?: string
  readonly span_id: string
  readonly parent_span_id?: string
}

export const reconstruct = (
  id: string,
  stores: { readonly [name in ServiceName]: ReadonlyArray<string> }
): Visit | undefined => {
  const lines = Object.values(stores)
    .flatMap((store) => store.map((line) => JSON.parse(line) as Line))
    .filter((line) => line.request_id === id)
    .sort((a, b) => a.time.localeCompare(b.time))
  const firsts = lines.filter((line, n) => lines.findIndex((other) => other.span_id === line.span_id) === n)
  const child = new Map(firsts.map((line) => [line.parent_span_id, line]))
  const visit = (first: Line): Visit => {
    const below = child.get(first.span_id)
    return {
      service: first.service,
      lines: lines.filter((line) => line.span_id === first.span_id).map((line) => line.message),
      children: below === undefined ? [] : [visit(below)]
    }
  }
  const root = child.get(undefined)
  return root === undefined ? undefined : visit(root)
}
