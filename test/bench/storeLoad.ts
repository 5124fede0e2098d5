/** What every subject of the store's benchmark measures itself with, in its own process: the same loop, the same events. */
import { readdirSync, readFileSync } from "node:fs"

export const callers = 16
export const note = "x".repeat(180)
export const payload = { by: 1, note }
export const streamLength = 1000
export const batchLength = 100

/** The question, as the parent asks it. */
export const config: unknown = JSON.parse(process.argv[2] ?? "{}")

/** Events to catch up with. */
export const { backlog = 200_000 } = config as { readonly backlog?: number }

export const answer = (figure: unknown): void => {
  process.stdout.write(`\n${JSON.stringify(figure)}\n`, () => process.exit(0))
}

/** Events a second, and the microseconds of processor time that one event costs this process and the server. */
export interface Figure {
  readonly perSecond: number
  readonly client: number
  readonly server: number
}

/** Processor time of the server so far: of its processes that live, and of those that have ended. */
const serverMicros = (pid: number | undefined): number => {
  if (pid === undefined || process.platform !== "linux") return 0
  let ticks = 0
  for (const name of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue
    try {
      // After the name in brackets: state, parent, and from the twelfth on the four times, in hundredths of a second.
      const text = readFileSync(`/proc/${name}/stat`, "utf8")
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number)
      if (Number(name) === pid) ticks += fields.slice(11, 15).reduce((sum, time) => sum + time, 0)
      else if (fields[1] === pid) ticks += (fields[11] ?? 0) + (fields[12] ?? 0)
    } catch {
      // It has ended meanwhile, and is counted as its parent's.
    }
  }
  return ticks * 10_000
}

/** Measures from now until the function that it gives is called with the number of events since. */
export const meter = (): (events: number) => Figure => {
  const { serverPid } = config as { readonly serverPid?: number }
  const server = serverMicros(serverPid)
  const cpu = process.cpuUsage()
  const started = performance.now()
  return (events) => {
    const seconds = (performance.now() - started) / 1000
    const { system, user } = process.cpuUsage(cpu)
    return {
      perSecond: events / seconds,
      client: (user + system) / events,
      server: (serverMicros(serverPid) - server) / events
    }
  }
}
