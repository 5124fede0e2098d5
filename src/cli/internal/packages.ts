/** Which packages are there beside this one, and whether their versions fit. */
import { Schema } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** Both `src/cli/internal` and `dist/cli/internal` lie three folders below the package. */
const home = fileURLToPath(new URL("../../..", import.meta.url))

const Peers = Schema.fromJsonString(Schema.Struct({ peerDependencies: Schema.Record(Schema.String, Schema.String) }))
const Version = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

/** The versions that this package asks for. */
export const peers = (): Readonly<Record<string, string>> =>
  Schema.decodeSync(Peers)(readFileSync(join(home, "package.json"), "utf8")).peerDependencies

/** The installed version of a package, seen from a folder; `undefined` when it is not there. */
export const versionOf = (name: string, from: string = home): string | undefined => {
  const folders = createRequire(join(from, "package.json")).resolve.paths(name) ?? []
  const file = folders.map((folder) => join(folder, name, "package.json")).find((one) => existsSync(one))
  return file === undefined ? undefined : Schema.decodeSync(Version)(readFileSync(file, "utf8")).version
}

/** The line that installs packages in the versions that fit. */
export const installLine = (names: ReadonlyArray<string>): string => {
  const ranges = peers()
  const words = names.map((name) => ranges[name] === undefined ? name : `"${name}@${ranges[name]}"`)
  return `npm install --save-dev ${words.join(" ")}`
}

const numbersOf = (version: string): ReadonlyArray<number> =>
  (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? "").split(".").map(Number)

/** Below 0: the first is older. Words such as `-beta.1` are not looked at. */
const compare = (one: string, other: string): number => {
  const [left, right] = [numbersOf(one), numbersOf(other)]
  const place = [0, 1, 2].find((index) => (left[index] ?? 0) !== (right[index] ?? 0))
  return place === undefined ? 0 : (left[place] ?? 0) - (right[place] ?? 0)
}

/** Whether a version is in a range of the kinds that `package.json` has: `~`, `^`, `>=`, `<` and an exact one. */
export const fits = (version: string, range: string): boolean =>
  range.split(" ").every((part) => {
    const [major = 0, minor = 0] = numbersOf(part)
    if (part.startsWith(">=")) return compare(version, part) >= 0
    if (part.startsWith("<")) return compare(version, part) < 0
    if (part.startsWith("~")) return compare(version, part) >= 0 && compare(version, `${major}.${minor + 1}`) < 0
    if (part.startsWith("^")) return compare(version, part) >= 0 && compare(version, `${major + 1}`) < 0
    return compare(version, part) === 0
  })
