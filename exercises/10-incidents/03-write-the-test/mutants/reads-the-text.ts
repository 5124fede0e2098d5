// fails: b - looks at the module's text instead of what it does
import { expect, type Test } from "../leases.ts"

export const tests: ReadonlyArray<Test> = [
  {
    name: "the text of the module",
    run: (make) => expect(!/fault|twice|leak/.test(String(make)), "The module must not look wrong.")
  }
]
