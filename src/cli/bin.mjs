#!/usr/bin/env node
/**
 * Starts the command line: the built program where the package was installed, the TypeScript source inside a clone.
 */
import "./preflight.mjs"
import { existsSync } from "node:fs"
import * as module from "node:module"
import { fileURLToPath } from "node:url"

const built = new URL("../../dist/cli/main.js", import.meta.url)
const source = new URL("./main.ts", import.meta.url)

if (existsSync(source)) {
  // What was compiled once is kept: this process, and every Node that it starts, begins in half the time.
  process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("../../.lifecycle/compile-cache", import.meta.url))
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
  // npm sets this condition through .npmrc; here it is set for who starts the file with node.
  module.registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: ["lifecycle-source", ...context.conditions] })
  })
  await import(source.href)
} else {
  await import(built.href)
}
