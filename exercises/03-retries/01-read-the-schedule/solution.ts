import type { schedules } from "./programs.ts"

export const predictions: { readonly [name in keyof typeof schedules]: ReadonlyArray<number> } = {
  exponential: [0, 130, 360, 790, 1620],
  spaced: [0, 130, 260, 390, 520],
  fixed: [0, 130, 230, 330, 430],
  upTo: [0, 130, 260],
  max: [0, 330, 660, 1090, 1920],
  library: [0, 130, 360]
}
