/**
 * Runs the tests inside vitest's worker, and keeps a record of its own of what passed.
 *
 * vitest's results live in objects that a learner's file can find and rewrite. The record is a string in a closure, signed
 * with a secret that is gone from the worker before the file is loaded; the host believes a pass only where both agree.
 */
import { createHmac } from "node:crypto"
import { writeSync } from "node:fs"
import { format } from "node:util"
import { type RunnerTask, type RunnerTestCase, type RunnerTestFile, TestRunner } from "vitest"
import { assertionsFail, lock } from "./lockdown.ts"
import { canary, outputLimit, secretName, skipName } from "./protocol.ts"

const { getTestFn } = TestRunner

let secret = ""
let skipped: ReadonlyArray<unknown> = []
let record = ""
let tampered = ""
let output = ""
let cut = false

/** The learner's own output; also written through at once, for a file that never comes to an end. */
const write = (text: string): void => {
  if (cut) return
  const rest = outputLimit - output.length
  const part = text.length > rest ? `${text.slice(0, rest)}\n(the rest is cut)\n` : text
  cut = text.length > rest
  output += part
  try {
    writeSync(1, part)
  } catch {
    // Nobody reads; the text is in `output` all the same.
  }
}

// A failing test's cause, which the test library prints besides throwing it.
const isEcho = (text: string): boolean => /^\[\d\d:\d\d:\d\d\.\d+\] ERROR \(#\d+\):/.test(text)

/** Turns everything that prints into `write`. */
const listen = (): void => {
  for (const method of ["debug", "dir", "error", "info", "log", "table", "trace", "warn"] as const) {
    console[method] = (...values: ReadonlyArray<unknown>) => {
      if (cut) return
      const text = format(...values)
      if (!isEcho(text)) write(`${text}\n`)
    }
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = (chunk: unknown) => {
      write(String(chunk))
      return true
    }
  }
}

const skip = (task: RunnerTask): void => {
  task.mode = "skip"
  if (task.type === "suite") task.tasks.forEach(skip)
}

interface WorkerState {
  readonly providedContext: Record<string, unknown>
  readonly ctx: { readonly providedContext: Record<string, unknown> }
}

/** vitest's runner, with a record that cannot be rewritten. */
export default class GraderRunner extends TestRunner {
  constructor(config: ConstructorParameters<typeof TestRunner>[0]) {
    super(config)
    const state = (globalThis as { readonly __vitest_worker__?: WorkerState }).__vitest_worker__
    for (const context of [state?.providedContext, state?.ctx.providedContext]) {
      if (context === undefined) continue
      if (typeof context[secretName] === "string") secret = context[secretName]
      if (Array.isArray(context[skipName])) skipped = context[skipName]
      delete context[secretName]
    }
  }

  onCollected(files: Array<RunnerTestFile>): void {
    for (const file of files) {
      for (const task of file.tasks) if (skipped.includes(/^\w+/.exec(task.name)?.[0])) skip(task)
    }
  }

  override async importFile(file: string, source: "collect" | "setup"): Promise<unknown> {
    if (source === "collect") {
      listen()
      lock()
    }
    return await super.importFile(file, source)
  }

  async runTask(test: RunnerTestCase): Promise<void> {
    const run = getTestFn(test)
    if (test.name !== canary) {
      await run()
      if (assertionsFail()) record += `${test.id};`
      else tampered += "an assertion that is wrong passes;"
      return
    }
    let failed = false
    try {
      await run()
    } catch {
      failed = true
    }
    if (!failed || !assertionsFail()) tampered += "the test that must fail passed;"
    const said = `${record}|${tampered}|${Buffer.from(output).toString("base64")}`
    throw new Error(`${said}|${createHmac("sha256", secret).update(said).digest("hex")}`)
  }
}
