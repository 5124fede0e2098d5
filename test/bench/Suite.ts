/**
 * What a benchmark suite is: rows of ours against a peer from the same run, with a goal for the ratio.
 *
 * Rounds are interleaved, so that a machine that slows down slows both; the figure is the median of the rounds.
 */
import { Effect } from "effect"
import { cpus, totalmem } from "node:os"

/** One figure: ours, each peer's, and the ratio the goal speaks of. */
export interface Row {
  readonly name: string
  readonly ours: string
  readonly peers: Readonly<Record<string, string>>
  /** Ours over the first peer's; bigger is better. */
  readonly ratio: number
  readonly goal: string
  readonly met: boolean
}

export interface Suite<R> {
  readonly name: string
  readonly rows: Effect.Effect<ReadonlyArray<Row>, unknown, R>
}

export const machine = (): string => {
  const [first] = cpus()
  return `${cpus().length} cores (${first?.model.trim() ?? "unknown"}), ${
    Math.round(totalmem() / 2 ** 30)
  } GiB, Node ${process.versions.node}, ${process.platform}`
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] ?? 0 : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** Runs every variant once a round, in rotating order, after one warm-up round; gives the figures per variant. */
export const interleaved = <Name extends string, R = never>(
  variants: Readonly<Record<Name, Effect.Effect<number, unknown, R>>>,
  rounds: number
): Effect.Effect<Readonly<Record<Name, ReadonlyArray<number>>>, unknown, R> =>
  Effect.gen(function*() {
    const names = Object.keys(variants) as Array<Name>
    const figures = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Array<number>>
    for (let round = -1; round < rounds; round++) {
      for (let i = 0; i < names.length; i++) {
        const name = names[(i + round + 1) % names.length]!
        const figure = yield* variants[name]
        if (round >= 0) figures[name].push(figure)
      }
    }
    return figures
  })

const cell = (text: string, width: number) => text.padEnd(width)

/** The rows as a table for a terminal. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const lines = rows.map((row) => [
    row.name,
    row.ours,
    Object.entries(row.peers).map(([peer, figure]) => `${peer} ${figure}`).join(", "),
    row.ratio.toFixed(2),
    row.goal,
    row.met ? "met" : "MISSED"
  ])
  const all = [["what", "ours", "peers", "ratio", "goal", ""], ...lines]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((line) => line[column]!.length)))
  return all.map((line) => line.map((text, column) => cell(text, widths[column]!)).join("  ").trimEnd()).join("\n")
}
