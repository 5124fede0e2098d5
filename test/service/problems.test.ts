import { assert, describe, it } from "@effect/vitest"
import { DomainError } from "effect-lifecycle/domain"
import { UnitOfWork } from "effect-lifecycle/store"
import { problems } from "../../lessons/service/shared/problems.ts"

describe("the table of problems of the services", () => {
  it("knows whatever a command can fail with besides its own errors", () => {
    const version = { aggregate: "Order", id: "ord_1", expected: 1, actual: 2 }
    const failures: ReadonlyArray<readonly [DomainError.CommandFailure, number]> = [
      [new UnitOfWork.StoreUnavailable({ operation: "append", reason: "gone" }), 503],
      [new DomainError.ConcurrencyConflict(version), 409],
      [new DomainError.VersionMismatch(version), 412],
      [new DomainError.Refused({ name: "orders.Place", reason: "closed for the night" }), 403],
      [new DomainError.InvalidPayload({ name: "orders.Place", issues: [] }), 422]
    ]
    for (const [failure, status] of failures) {
      assert.strictEqual(problems.describe(failure)?.status, status, failure._tag)
    }
  })

  it("says why something was refused, and names every wrong field", () => {
    const refused = problems.describe(new DomainError.Refused({ name: "orders.Place", reason: "closed for the night" }))
    assert.strictEqual(refused?.document.detail, "closed for the night")
    const invalid = problems.describe(
      new DomainError.InvalidPayload({ name: "orders.Place", issues: [{ pointer: "/lines", message: "Missing key" }] })
    )
    assert.deepStrictEqual(invalid?.document["errors"], [{ detail: "Missing key", pointer: "/lines", in: "body" }])
    assert.strictEqual(invalid?.stage, "Validation")
  })
})
