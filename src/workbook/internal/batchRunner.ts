/** Runs the tests of a batch: in another order, and no further than needed, as the name of the spec's copy says. */
import { type RunnerTask, type RunnerTestCase, type RunnerTestFile, TestRunner } from "vitest"

/** A small generator of numbers, so that the same seed gives the same order. */
const generator = (seed: number) => {
  let state = seed
  return (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const shuffle = (tasks: Array<RunnerTask>, next: () => number): void => {
  for (let last = tasks.length - 1; last > 0; last--) {
    const other = Math.floor(next() * (last + 1))
    const [one, two] = [tasks[last], tasks[other]]
    if (one !== undefined && two !== undefined) [tasks[last], tasks[other]] = [two, one]
  }
  for (const task of tasks) if (task.type === "suite") shuffle(task.tasks, next)
}

const failed = (tasks: ReadonlyArray<RunnerTask>): boolean =>
  tasks.some((task) => task.result?.state === "fail" || (task.type === "suite" && failed(task.tasks)))

/** vitest's runner, for copies that are named `NUMBER[.sSEED][.q].spec.ts`. */
export default class BatchRunner extends TestRunner {
  onCollected(files: Array<RunnerTestFile>): void {
    for (const file of files) {
      const seed = /\.s(\d+)\./.exec(file.filepath)?.[1]
      if (seed !== undefined) shuffle(file.tasks, generator(Number(seed)))
    }
  }

  override async onBeforeRunTask(test: RunnerTestCase): Promise<void> {
    if (test.file.filepath.endsWith(".q.spec.ts") && failed(test.file.tasks)) test.mode = "skip"
    await super.onBeforeRunTask(test)
  }

  // Where an error was made is not asked for, and the way from there to the source takes longer than many a test.
  override async onAfterRunTask(test: RunnerTestCase): Promise<void> {
    await super.onAfterRunTask(test)
    for (const error of test.result?.errors ?? []) error.stack = ""
  }
}
