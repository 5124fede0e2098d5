import { CircuitBreaker } from "effect-lifecycle/resilience"

type Outcome = "success" | "failure" | "neutral"

/** A circuit in a variable: the state machine without Effect. */
export const machine = (
  policy: Parameters<typeof CircuitBreaker.limits>[0],
  change: Partial<CircuitBreaker.Limits> = {}
) => {
  const limits = { ...CircuitBreaker.limits(policy), ...change }
  const step = CircuitBreaker.transition(limits)
  let state = CircuitBreaker.initial(limits)
  const feed = (input: CircuitBreaker.Input) => {
    const [output, next] = step(state, input)
    state = next
    return output
  }
  const admit = (nowMillis: number) => feed({ _tag: "Admit", nowMillis })
  const admitted = (nowMillis: number) => {
    const output = admit(nowMillis)
    if (output._tag !== "Admitted") throw new Error(`expected an admission, got ${output._tag}`)
    return output
  }
  const end = (
    admission: { readonly epoch: number; readonly probe: number | undefined },
    outcome: Outcome,
    nowMillis: number,
    durationMillis = 0
  ) => feed({ _tag: "Ended", epoch: admission.epoch, probe: admission.probe, outcome, durationMillis, nowMillis })
  return {
    feed,
    admit,
    admitted,
    end,
    call: (outcome: Outcome, nowMillis: number, durationMillis = 0) =>
      end(admitted(nowMillis), outcome, nowMillis, durationMillis),
    state: () => state,
    tag: () => state._tag
  }
}

export const twice = { trip: CircuitBreaker.consecutive(2), breakDuration: 100 }
export const opened = (probe?: CircuitBreaker.ProbeOptions, change?: Partial<CircuitBreaker.Limits>) => {
  const circuit = machine({ ...twice, probe }, change)
  circuit.call("failure", 0)
  circuit.call("failure", 0)
  return circuit
}
