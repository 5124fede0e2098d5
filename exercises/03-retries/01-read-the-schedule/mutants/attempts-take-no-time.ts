// fails: a - forgets that an attempt takes time
import type { schedules } from "../programs.ts"

export const predictions: { readonly [name in keyof typeof schedules]: ReadonlyArray<number> } = {
  exponential: [0, 100, 300, 700, 1500],
  spaced: [0, 100, 200, 300, 400],
  fixed: [0, 100, 200, 300, 400],
  upTo: [0, 100, 200],
  max: [0, 300, 600, 1000, 1800],
  library: [0, 100, 300]
}
