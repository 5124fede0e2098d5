/** The small mistakes that no test of an exercise notices, and why that is right. */
import { Schema } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Exercise } from "../Catalogue.ts"
import type { Fault } from "./gates.ts"

/** A small mistake that goes unnoticed. */
export interface Survivor {
  readonly exercise: string
  readonly name: string
  /** Why that is right, from `survivors.json`. */
  readonly reason: string | undefined
}

/** What `survivors.json` holds: the name of the change, and the reason. */
const Reasons = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))
const decode = Schema.decodeUnknownResult(Reasons)

const file = "survivors.json"

/** Compares the survivors with the list of those that may; `noticed` is what the others are told. */
export const survivorsGate = (
  exercise: Exercise,
  alive: ReadonlyArray<string>,
  noticed: ReadonlyMap<string, string>
): { readonly survivors: ReadonlyArray<Survivor>; readonly faults: ReadonlyArray<Fault> } => {
  const { folder, manifest } = exercise
  const path = join(folder, file)
  const fault = (problem: string): Fault => ({ exercise: manifest.id, gate: "automatic", file, problem })
  const read = decode(existsSync(path) ? readFileSync(path, "utf8") : "{}")
  const reasons: Readonly<Record<string, string>> = read._tag === "Success" ? read.success : {}
  const reasonOf = (name: string): string | undefined =>
    Object.hasOwn(reasons, name) && (reasons[name]?.trim().length ?? 0) >= 10 ? reasons[name] : undefined
  return {
    survivors: alive.map((name) => ({ exercise: manifest.id, name, reason: reasonOf(name) })),
    faults: [
      ...(read._tag === "Failure" ? [fault("it has to hold a reason for each name, as JSON")] : []),
      ...alive.filter((name) => reasonOf(name) === undefined)
        .map((name) => fault(`no test notices "${name}": write one that does, or a reason here`)),
      ...Object.keys(reasons).filter((name) => !alive.includes(name))
        .map((name) => {
          const told = noticed.get(name)
          return fault(`"${name}" does not survive; take it off the list${told === undefined ? "" : ` (${told})`}`)
        })
    ]
  }
}

/** Whether so many of them may live: one in twenty, and one in a small course. */
export const withinBudget = (made: number, survived: number): boolean => survived <= Math.max(1, Math.floor(made / 20))
