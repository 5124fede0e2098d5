/**
 * The entry of the command line. It imports nothing by itself, so that a missing package is one line that says how to
 * install it, and not Node's stack trace.
 */
try {
  const { main } = await import("./program.ts")
  main()
} catch (error) {
  const missing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND"
    ? /Cannot find package '((?:@[^/']+\/)?[^/']+)/.exec(error.message)?.[1]
    : undefined
  if (missing === undefined) throw error
  process.stderr.write(
    `The command line needs packages that are not installed (${missing}): ` +
      "run `npm install --save-dev effect@~4.1.0 @effect/platform-node@~4.1.0`.\n"
  )
  process.exitCode = 1
}
