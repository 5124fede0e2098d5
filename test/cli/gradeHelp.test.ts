import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { lifecycle } from "./command.ts"

const help = (...command: ReadonlyArray<string>) =>
  Effect.map(lifecycle([...command, "--help"]), ({ out }) => out.replaceAll(/\s+/g, " "))

describe("the help of the commands for teachers", () => {
  it.live("names the course that is taken when none is named", () =>
    Effect.gen(function*() {
      for (const command of ["check", "new", "pack"]) {
        assert.match(yield* help("dev", command), /--course string \w+ folder of the course; \.\/exercises when absent/)
      }
      assert.include(yield* help("grade"), "the folder of the course; that of this package when absent")
    }), 60_000)

  it.live("names what turns off a flag that is on by itself", () =>
    Effect.gen(function*() {
      assert.include(yield* help("dev", "check"), "--no-auto ")
      assert.include(yield* help("dev", "pack"), "--no-hints ")
    }), 60_000)
})
