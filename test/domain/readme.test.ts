import { assert, beforeAll, describe, expect, it } from "@effect/vitest"
import { Diagram } from "effect-lifecycle/domain"
import type { Saga } from "effect-lifecycle/domain"
import { Idempotency, ServerStack } from "effect-lifecycle/server"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { ordersHandlers } from "../../lessons/service/orders/handlers.ts"
import { paymentsHandlers } from "../../lessons/service/payments/handlers.ts"
import { collect, generate, moduleOf } from "../docs/fences.ts"

const path = fileURLToPath(new URL("../../src/domain/README.md", import.meta.url))

/** The saga that the README defines. */
const trip = async (): Promise<Saga.Any> => {
  const fences = collect()
  generate(fences)
  const fence = fences.find(({ code, file }) => file === "src/domain/README.md" && code.includes("export const trip"))
  assert.isDefined(fence)
  const module: { readonly trip: Saga.Any } = await import(/* @vite-ignore */ moduleOf(fence!))
  return module.trip
}

describe("the README of domain", () => {
  let readme = ""
  beforeAll(async () => {
    readme = await readFile(path, "utf8")
  })

  it("shows the diagrams of the definitions as they are", async () => {
    const diagrams = {
      domain: Diagram.domain([...ordersHandlers, ...paymentsHandlers]),
      pipeline: Diagram.pipeline(ordersHandlers[0], {
        server: ServerStack.describe({
          service: "orders",
          idempotency: Idempotency.stage({ required: ["POST /orders"] })
        })
      }),
      saga: Diagram.saga(await trip())
    }
    const filled = Object.entries(diagrams).reduce(
      (text, [name, diagram]) =>
        text.replace(
          new RegExp(`(<!-- generated: ${name} -->\\n)[^]*?(<!-- /generated -->)`),
          (_, start: string, end: string) => `${start}\n\`\`\`mermaid\n${diagram}\n\`\`\`\n\n${end}`
        ),
      readme
    )
    for (const diagram of Object.values(diagrams)) assert.include(filled, diagram)
    await expect(filled).toMatchFileSnapshot(path)
  })
})
