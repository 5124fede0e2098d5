#!/usr/bin/env node
/**
 * Starts the command line: the built program where the package was installed, the TypeScript source inside a clone.
 */
import "./preflight.mjs"
import { existsSync } from "node:fs"

const built = new URL("../../dist/cli/main.js", import.meta.url)
const source = new URL("./main.ts", import.meta.url)

if (existsSync(source)) {
  const { register } = await import("tsx/esm/api")
  register()
  await import(source.href)
} else {
  await import(built.href)
}
