/**
 * Behaviours of the sources, each as one test of ours that says whether we do the same.
 *
 * A topic is data: the tests and `DIFFERENCES.md` are made from the same declarations, so a difference that is not tested
 * cannot be listed, and one that is not listed cannot be tested.
 */
import { describe, it } from "@effect/vitest"
import type { Effect, Scope } from "effect"

/** Where a behaviour comes from. */
export type Source = "aio-request" | "python-cqrs" | "lesson"

type Body = () => Effect.Effect<void, unknown, Scope.Scope>

export interface Equal {
  readonly _tag: "Equal"
  readonly id: string
  /** What both do, as a sentence without its subject. */
  readonly behaviour: string
  readonly body: Body
}

export interface Differs {
  readonly _tag: "Differs"
  readonly id: string
  readonly theirs: string
  readonly ours: string
  readonly reason: string
  /** The rule that a test in this folder is named after. */
  readonly rule: string | undefined
  readonly body: Body
}

export interface Topic {
  readonly source: Source
  readonly title: string
  readonly file: string
  readonly behaviours: ReadonlyArray<Equal | Differs>
}

/** We do what the source does. */
export const equal = (id: string, behaviour: string, body: Body): Equal => ({ _tag: "Equal", id, behaviour, body })

/** We do something else, on purpose. The test shows what we do. */
export const differs = (
  id: string,
  says: { readonly theirs: string; readonly ours: string; readonly reason: string; readonly rule?: string },
  body: Body
): Differs => ({ _tag: "Differs", id, rule: undefined, ...says, body })

/** Registers the tests of the topics. */
export const test = (topics: ReadonlyArray<Topic>): void => {
  for (const { behaviours, title } of topics) {
    describe(title, () => {
      for (const one of behaviours) {
        it.effect(
          one._tag === "Equal" ? `equal, ${one.id}: ${one.behaviour}` : `differs, ${one.id}: ${one.ours}`,
          one.body
        )
      }
    })
  }
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const row = (cells: ReadonlyArray<string>): string => `| ${cells.map(cell).join(" | ")} |`

/** The differences of one source, and below them what is the same. */
export const tables = (source: Source, topics: ReadonlyArray<Topic>): string =>
  topics.filter((topic) => topic.source === source).map(({ behaviours, file, title }) => {
    const differences = behaviours.filter((one) => one._tag === "Differs")
    const same = behaviours.filter((one) => one._tag === "Equal")
    return [
      `### ${title}`,
      `Declared in \`ported/${file}\`.`,
      differences.length === 0 ? "" : [
        row(["Id", "They", "We", "Why", "Rule"]),
        row(["---", "---", "---", "---", "---"]),
        ...differences.map(({ id, ours, reason, rule, theirs }) =>
          row([`\`${id}\``, theirs, ours, reason, rule ?? "-"])
        )
      ].join("\n"),
      same.length === 0 ? "" : ["The same:", same.map(({ behaviour, id }) => `- \`${id}\`: ${behaviour}`).join("\n")]
        .join("\n\n")
    ].filter((part) => part !== "").join("\n\n")
  }).join("\n\n")
