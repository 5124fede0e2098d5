/** The other side of `processes.ts`: what a process of the benchmark answers to its parent. */
export type Answers = Readonly<Record<string, (question: never) => unknown>>

/** Processor time of this process so far, all its threads, in microseconds. */
export const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}

/** Memory of this process after a collection, in bytes. */
const memory = (): { readonly resident: number; readonly heap: number } => {
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.()
  const { arrayBuffers, external, heapUsed, rss } = process.memoryUsage()
  return { resident: rss, heap: heapUsed + external + arrayBuffers }
}

export const answering = (answers: Answers): void => {
  const all: Answers = { cpu: cpuMicros, memory, ...answers }
  process.on("message", ({ id, ask, question }: { id: number; ask: string; question: never }) => {
    void Promise.resolve(all[ask]?.(question)).then((answer) => process.send?.({ id, answer }))
  })
  process.on("disconnect", () => process.exit(0))
  process.send?.({ id: 0 })
}
