// fails: b - thinks that the handler gets the body first and decodes it itself
import type { requests } from "../app.ts"

export interface Prediction {
  readonly bare: number
  readonly stack: number
  readonly handler: boolean | "todo"
  readonly after: boolean | "todo"
}

export const predictions: { readonly [name in keyof typeof requests]: Prediction } = {
  found: { bare: 200, stack: 200, handler: true, after: true },
  missing: { bare: 404, stack: 404, handler: true, after: true },
  misspelled: { bare: 404, stack: 404, handler: false, after: false },
  wrongMethod: { bare: 404, stack: 405, handler: false, after: false },
  noFields: { bare: 400, stack: 422, handler: true, after: false },
  cutOff: { bare: 400, stack: 400, handler: true, after: false },
  aForm: { bare: 415, stack: 415, handler: false, after: true },
  bug: { bare: 500, stack: 500, handler: true, after: false },
  undeclared: { bare: 500, stack: 500, handler: true, after: false },
  stopped: { bare: 503, stack: 503, handler: true, after: false }
}
