import { assert, describe, it } from "@effect/vitest"
import { fits, installLine, peers, versionOf } from "../../src/cli/internal/packages.ts"

describe("packages", () => {
  it.each([
    ["4.1.0", "~4.1.0", true],
    ["4.1.7", "~4.1.0", true],
    ["4.2.0", "~4.1.0", false],
    ["4.0.9", "~4.1.0", false],
    ["4.9.0", "^4.0.5", true],
    ["4.0.4", "^4.0.5", false],
    ["5.0.0", "^4.0.5", false],
    ["7.0.2", ">=7.0.0 <8.0.0", true],
    ["8.0.0", ">=7.0.0 <8.0.0", false],
    ["6.9.9", ">=7.0.0 <8.0.0", false],
    ["18.4.0-beta.17", "18.4.0-beta.17", true],
    ["18.3.0", "18.4.0-beta.17", false],
    ["22.19.0", ">=22.19", true],
    ["22.18.3", ">=22.19", false]
  ])("%s in %s: %s", (version, range, expected) => {
    assert.strictEqual(fits(version, range), expected)
  })

  it("are all there in a clone, in the versions that are asked for", () => {
    for (const [name, range] of Object.entries(peers())) {
      const version = versionOf(name)
      assert.isDefined(version, name)
      assert.isTrue(fits(version ?? "", range), `${name} ${version} in ${range}`)
    }
    assert.isUndefined(versionOf("no-such-package"))
    assert.match(installLine(["vitest", "other"]), /^npm install --save-dev "vitest@[^"]+" other$/)
  })
})
