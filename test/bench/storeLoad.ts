/** What every subject of the store's benchmark measures itself with, in its own process: the same loop, the same events. */

export const callers = 16
export const note = "x".repeat(180)
export const payload = { by: 1, note }
export const streamLength = 1000
export const batchLength = 100
export const backlog = 50_000

/** The question, as the parent asks it. */
export const config: unknown = JSON.parse(process.argv[2] ?? "{}")

export const answer = (figure: unknown): void => {
  process.stdout.write(`\n${JSON.stringify(figure)}\n`, () => process.exit(0))
}
