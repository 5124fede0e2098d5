import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type Division, isAligned, planFor, shareOf, turn } from "../../src/store/internal/subscription/division.ts"

const division = (owners: ReadonlyArray<string>, held: ReadonlyArray<string | undefined>): Division => ({
  generation: 1,
  plan: undefined,
  owners: owners.toSorted(),
  partitions: held.map((owner, index) => ({ index, position: 0n, paused: undefined, owner, token: 0n }))
})

const none = new Set<number>()

const take = (before: Division, owner: string, stuck: ReadonlySet<number> = none): Division => {
  const { claim, release } = turn(before, owner, stuck)
  return {
    ...before,
    partitions: before.partitions.map((partition) =>
      release.includes(partition.index)
        ? { ...partition, owner: undefined }
        : claim.includes(partition.index)
        ? { ...partition, owner }
        : partition
    )
  }
}

const Owner = Schema.Literals(["a", "b", "c", "d", "gone"])

describe("The division of a subscription", () => {
  it.effect.prop(
    "is even and complete after every owner had two turns, wherever it began and in whatever order",
    {
      alive: Schema.NonEmptyArray(Schema.Literals(["a", "b", "c", "d"])),
      held: Schema.NonEmptyArray(Schema.NullOr(Owner)).check(Schema.isMaxLength(20))
    },
    ({ alive, held }) =>
      Effect.sync(() => {
        const owners: ReadonlyArray<string> = [...new Set(alive)]
        let now = division(owners, held.map((owner) => owner ?? undefined))
        for (let round = 0; round < 2; round++) {
          for (const owner of owners) {
            const before = now
            now = take(before, owner)
            // Nobody takes what somebody alive has.
            for (const [index, { owner: next }] of now.partitions.entries()) {
              const previous = before.partitions[index]?.owner
              if (next === owner && previous !== owner) {
                assert.isFalse(previous !== undefined && owners.includes(previous))
              }
            }
          }
        }
        for (const owner of owners) {
          const has = now.partitions.filter((partition) => partition.owner === owner).length
          assert.strictEqual(has, shareOf(held.length, now.owners, owner))
        }
        const counts = owners.map((owner) => shareOf(held.length, now.owners, owner))
        assert.strictEqual(counts.reduce((sum, count) => sum + count, 0), held.length)
        assert.isAtMost(Math.max(...counts) - Math.min(...counts), 1)
        for (const owner of owners) assert.deepStrictEqual(turn(now, owner, none), { release: [], claim: [] })
      })
  )
  it("gives back a partition that its owner is stuck on, and does not take it again", () => {
    const before = division(["a"], ["a", "a"])
    const after = take(before, "a", new Set([1]))
    assert.deepStrictEqual(after.partitions.map(({ owner }) => owner), ["a", undefined])
    assert.deepStrictEqual(turn(after, "a", new Set([1])), { release: [], claim: [] })
    assert.deepStrictEqual(turn(after, "a", none), { release: [], claim: [1] })
  })
  it("gives nothing to an owner that is not counted as alive", () => {
    assert.deepStrictEqual(turn(division(["b"], [undefined, undefined]), "a", none), { release: [], claim: [] })
  })
  it("plans to divide anew where the foremost partition stands, and keeps that when the number changes again", () => {
    const at = (...positions: ReadonlyArray<bigint>): Division => {
      const base = division(["a"], positions.map(() => undefined))
      return {
        ...base,
        partitions: base.partitions.map((each, index) => ({ ...each, position: positions[index] ?? 0n }))
      }
    }
    const planned = { ...at(3n, 9n), plan: { count: 4, at: 9n } }
    assert.strictEqual(planFor(at(3n, 9n), 2), "unchanged")
    assert.deepStrictEqual(planFor(at(3n, 9n), 4), { count: 4, at: 9n })
    assert.strictEqual(planFor(planned, 4), "unchanged")
    assert.deepStrictEqual(planFor(planned, 1), { count: 1, at: 9n })
    assert.isUndefined(planFor(planned, 2))
    assert.isFalse(isAligned(planned))
    assert.isTrue(isAligned({ ...at(9n, 9n), plan: { count: 4, at: 9n } }))
    assert.isFalse(isAligned(at(9n, 9n)))
  })
})
