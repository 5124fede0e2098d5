/** What hostileDoor.ts and the process under attack tell each other. */
import type { Starved } from "./starvation.ts"

export interface Ports {
  readonly gateway: number
  readonly application: number
}

/** What the process under attack knows of itself. */
export interface Health {
  readonly heapBytes: number
  readonly residentBytes: number
  readonly connections: number
  readonly exchanges: number
  readonly bufferedBytes: number
  /** Bugs that were caught, with the first line of each. */
  readonly defects: ReadonlyArray<string>
  /** Lines of the log that are not one JSON object, hold the token, or an id that is none. */
  readonly badLines: ReadonlyArray<string>
  readonly lines: number
  /** How often the application was asked for what was hidden in a body. */
  readonly smuggled: number
  /** When it had work and no processor. */
  readonly starved: ReadonlyArray<Starved>
}

export const limits = { connections: 600, headersMillis: 1500 }
