// fails: b - folds from the right, as lists are folded elsewhere
import type { Event, State } from "../events.ts"
import { evolve, start } from "../solution.ts"

export * from "../solution.ts"

export const replay = (events: ReadonlyArray<Event>, from: State = start()): State => events.reduceRight(evolve, from)
