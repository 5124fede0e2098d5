/** Scenarios and what is expected of them: a scenario tells its story, and checks what really came back. */
import { Cause, Effect } from "effect"
import { isDeepStrictEqual } from "node:util"
import { paint, printable, type Terminal, wrap } from "./terminal.ts"

/** Something that was not as expected. */
export interface Difference {
  readonly scenario: string
  readonly what: string
  readonly expected: string
  readonly received: string
}

/** What a scenario has at hand while it is told. */
export interface Page {
  readonly terminal: Terminal
  /** Adds lines below the scenario's title. */
  readonly say: (text: string) => void
  /** Expects two values to be the same, all the way down. */
  readonly equal: (what: string, received: unknown, expected: unknown) => void
  /** Expects something to be so; `received` and `expected` say it in words when it is not. */
  readonly holds: (what: string, condition: boolean, received: unknown, expected: string) => void
}

export interface Scenario<E, R> {
  readonly title: string
  readonly tell: (page: Page) => Effect.Effect<void, E, R>
}

/** Scenarios that belong together. */
export interface Chapter<E, R> {
  readonly title: string
  readonly intro?: string | undefined
  readonly scenarios: ReadonlyArray<Scenario<E, R>>
}

export interface Outcome {
  readonly total: number
  readonly asExpected: number
  readonly differences: ReadonlyArray<Difference>
}

const inWords = (value: unknown): string => {
  const text = typeof value === "string" ? value : value === undefined ? "nothing" : JSON.stringify(value)
  return text.length > 300 ? `${text.slice(0, 300)}...` : text
}

/** Tells one scenario. Whatever stops it is a difference too: a tour shows all it can. */
const run = <E, R>(
  terminal: Terminal,
  { tell, title }: Scenario<E, R>
): Effect.Effect<ReadonlyArray<Difference>, never, R> =>
  Effect.gen(function*() {
    const said: Array<string> = []
    const differences: Array<Difference> = []
    const differs = (what: string, received: unknown, expected: unknown) =>
      differences.push({ scenario: title, what, expected: inWords(expected), received: inWords(received) })
    const page: Page = {
      terminal,
      say: (text) => said.push(text),
      equal: (what, received, expected) => {
        if (!isDeepStrictEqual(received, expected)) differs(what, received, expected)
      },
      holds: (what, condition, received, expected) => {
        if (!condition) differs(what, received, expected)
      }
    }
    yield* Effect.catchCause(Effect.suspend(() => tell(page)), (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.interrupt
        : Effect.sync(() =>
          differs(
            "the scenario",
            Cause.prettyErrors(cause).map((error) => error.message).join("; "),
            "to be told to its end"
          )
        ))
    const mark = differences.length === 0 ? paint(terminal, "good", "ok") : paint(terminal, "bad", "!!")
    terminal.write([`${mark} ${printable(title)}`, ...said].join("\n") + "\n")
    for (const { expected, received, what } of differences) {
      terminal.write(
        paint(terminal, "bad", `   ${printable(what)}: expected ${printable(expected)}, got ${printable(received)}`) +
          "\n"
      )
    }
    return differences
  })

/** Tells every chapter in order, then says how it went. */
export const tellAll = <E, R>(
  terminal: Terminal,
  chapters: ReadonlyArray<Chapter<E, R>>
): Effect.Effect<Outcome, never, R> =>
  Effect.gen(function*() {
    const differences: Array<Difference> = []
    let total = 0
    let asExpected = 0
    for (const [index, chapter] of chapters.entries()) {
      terminal.write(`\n${paint(terminal, "bold", `${index + 1}. ${chapter.title}`)}\n`)
      if (chapter.intro !== undefined) terminal.write(`${wrap(chapter.intro, terminal.width)}\n`)
      terminal.write("\n")
      for (const scenario of chapter.scenarios) {
        const found = yield* run(terminal, scenario)
        total += 1
        if (found.length === 0) asExpected += 1
        differences.push(...found)
      }
    }
    terminal.write(`\n${summary({ total, asExpected, differences })}\n`)
    return { total, asExpected, differences }
  })

const summary = ({ asExpected, differences, total }: Outcome): string =>
  [
    ...differences.map(({ expected, received, scenario, what }) =>
      printable(`differs: ${scenario}: ${what}: expected ${expected}, got ${received}`)
    ),
    `tour: ${asExpected} of ${total} scenarios as expected`
  ].join("\n")
