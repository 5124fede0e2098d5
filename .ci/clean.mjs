/** Removes the last build, so that a deleted module cannot survive in the package. */
import { rmSync } from "node:fs"

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true })
