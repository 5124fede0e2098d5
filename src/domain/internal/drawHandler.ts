import type { Node } from "./handler/handler.ts"
import type { FlowChart } from "./mermaid.ts"

/** Where a request comes in, and what has failed when all of it has. */
export interface Drawn {
  readonly entry: string
  readonly failed: string
}

/** Draws what handles a request or an event. `path` tells its nodes from those of other handlers. */
export const drawHandler = (chart: FlowChart, node: Node, owner: string, path: string): Drawn => {
  const { name, part } = node
  switch (part._tag) {
    case "Function": {
      const id = chart.node(path, name === owner ? "a function" : name, "round")
      return { entry: id, failed: id }
    }
    case "Aggregate": {
      const id = chart.node(`aggregate ${part.aggregate}`, part.aggregate, "double")
      return { entry: id, failed: id }
    }
    case "Fallback": {
      const first = drawHandler(chart, part.primary, owner, `${path} primary`)
      const second = drawHandler(chart, part.fallback, owner, `${path} fallback`)
      chart.edge(first.failed, second.entry, {
        dotted: true,
        // An aggregate stands once for all its commands, so the label has to say whose fallback this is.
        label: `fallback of ${name}${part.breaker ? ", circuit" : ""}`
      })
      return { entry: first.entry, failed: second.failed }
    }
    case "Chain": {
      const { drawn, id } = chart.group(
        `chain ${name}`,
        () => part.links.map((link, index) => drawHandler(chart, link, owner, `${path} link ${index}`))
      )
      drawn.forEach((link, index) => {
        const next = drawn[index + 1]
        if (next !== undefined) chart.edge(link.entry, next.entry, { dotted: true, label: "passes on" })
      })
      return { entry: drawn[0]?.entry ?? id, failed: id }
    }
  }
}
