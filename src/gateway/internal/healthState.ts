/** What a row of checks says about a target: a pure state machine. */

export interface State {
  readonly verdict: "unknown" | "healthy" | "unhealthy"
  /** How many checks in a row have said the opposite of the verdict. */
  readonly against: number
}

export interface Thresholds {
  readonly healthyAfter: number
  readonly unhealthyAfter: number
}

export const initial: State = { verdict: "unknown", against: 0 }

export const observe = (state: State, passed: boolean, thresholds: Thresholds): State => {
  const said = passed ? "healthy" : "unhealthy"
  if (state.verdict === said) return state.against === 0 ? state : { verdict: said, against: 0 }
  // Nothing is known before the first check, so it decides alone.
  const needed = state.verdict === "unknown" ? 1 : passed ? thresholds.healthyAfter : thresholds.unhealthyAfter
  return state.against + 1 >= needed ? { verdict: said, against: 0 } : { ...state, against: state.against + 1 }
}
