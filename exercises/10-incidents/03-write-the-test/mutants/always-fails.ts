// fails: b - has a test that fails on everything, also on what is right
import { Effect } from "effect"
import type { Test } from "../leases.ts"

export const tests: ReadonlyArray<Test> = [{ name: "no", run: () => Effect.fail("it is wrong") }]
