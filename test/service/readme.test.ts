import { assert, describe, expect, it } from "@effect/vitest"
import { Diagram } from "effect-lifecycle/domain"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { PayOrder } from "../../lessons/service/orders/payment.ts"

const path = fileURLToPath(new URL("../../lessons/service/README.md", import.meta.url))

/** The README with the diagram of this saga. */
const filled = (readme: string, diagram: string) =>
  readme.replace(
    /(<!-- generated: saga -->\n)[^]*?(<!-- \/generated -->)/,
    (_, start: string, end: string) => `${start}\n\`\`\`mermaid\n${diagram}\n\`\`\`\n\n${end}`
  )

describe("the README of the services", () => {
  it("shows the saga of a payment as it is", async () => {
    const readme = await readFile(path, "utf8")
    const diagram = Diagram.saga(PayOrder)
    for (const step of ["reserve", "charge", "confirm", "undo charge", "undo reserve"]) assert.include(diagram, step)
    const now = filled(readme, diagram)
    assert.include(now, diagram)
    await expect(now).toMatchFileSnapshot(path)
  })
})
