// fails: b - has no tests, and all of them pass
import type { Test } from "../leases.ts"

export const tests: ReadonlyArray<Test> = []
