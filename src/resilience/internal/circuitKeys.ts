import { PubSub } from "effect"
import { Core, type Shared } from "./circuitCore.ts"

/** How many circuits are looked at for a closed one when there is no room for a new key. */
const looks = 64

/**
 * The circuits of a keyed breaker. There is no timer: idle keys go when a call comes by, at most once in an idle time, and
 * when there is no room for a new key the one that was used least recently goes (a second chance for those used since).
 */
export class Keys {
  readonly shared: Shared
  readonly idleMillis: number
  readonly maximum: number
  private readonly circuits = new Map<string, Core>()
  private sweepAt: number
  constructor(shared: Omit<Shared, "readopt">, idleMillis: number, maximum: number) {
    this.shared = { ...shared, readopt: (circuit) => this.readopt(circuit) }
    this.idleMillis = idleMillis
    this.maximum = maximum
    this.sweepAt = -Infinity
  }

  peek(key: string, nowMillis: number): Core | undefined {
    const circuit = this.circuits.get(key)
    return circuit === undefined || this.isIdle(circuit, nowMillis) ? undefined : circuit
  }

  /** A circuit that is not known, or idle, is as good as a closed one: no clock is needed for either. */
  isClosed(key: string): boolean {
    const circuit = this.circuits.get(key)
    return circuit === undefined || circuit.ref.ref.current._tag === "Closed"
  }

  find(key: string, nowMillis: number): Core {
    if (nowMillis >= this.sweepAt) this.sweep(nowMillis)
    const circuit = this.circuits.get(key)
    if (circuit === undefined) return this.add(key, nowMillis)
    if (this.isIdle(circuit, nowMillis)) {
      this.evict(circuit, nowMillis)
      return this.add(key, nowMillis)
    }
    circuit.usedAt = nowMillis
    return circuit
  }

  keys(nowMillis: number): Array<string> {
    this.sweep(nowMillis)
    return Array.from(this.circuits.keys())
  }

  private add(key: string, nowMillis: number): Core {
    if (this.circuits.size >= this.maximum) this.makeRoom(nowMillis)
    const circuit = new Core(this.shared, key, nowMillis)
    this.circuits.set(key, circuit)
    return circuit
  }

  /** A call that outlived its circuit brings it back, unless a new one has taken its place. */
  private readopt(circuit: Core): void {
    if (this.circuits.has(circuit.key)) return
    if (this.circuits.size >= this.maximum) this.makeRoom(circuit.usedAt)
    circuit.evicted = false
    circuit.queuedAt = circuit.usedAt
    this.circuits.set(circuit.key, circuit)
  }

  private sweep(nowMillis: number): void {
    if (this.sweepAt !== -Infinity) {
      for (const circuit of this.circuits.values()) {
        if (this.isIdle(circuit, nowMillis)) this.evict(circuit, nowMillis)
      }
    }
    this.sweepAt = nowMillis + this.idleMillis
  }

  private makeRoom(nowMillis: number): void {
    let oldest: Core | undefined
    let looked = 0
    for (const circuit of this.circuits.values()) {
      const state = circuit.ref.ref.current
      const fresh = circuit.usedAt > circuit.queuedAt
      if (!fresh && state._tag === "Closed") return this.evict(circuit, nowMillis)
      if (state._tag !== "Isolated") oldest ??= circuit
      this.circuits.delete(circuit.key)
      this.circuits.set(circuit.key, circuit)
      circuit.queuedAt = circuit.usedAt
      if (++looked === looks) break
    }
    if (oldest !== undefined) this.evict(oldest, nowMillis)
  }

  private evict(circuit: Core, nowMillis: number): void {
    circuit.evicted = true
    this.circuits.delete(circuit.key)
    PubSub.publishUnsafe(this.shared.hub, { _tag: "Evicted", key: circuit.key, atMillis: nowMillis })
  }

  /** Unused for long, counted from the end of its open time or of its last probe; an isolated circuit is never idle. */
  private isIdle(circuit: Core, nowMillis: number): boolean {
    const before = nowMillis - this.idleMillis
    if (circuit.usedAt > before) return false
    const state = circuit.ref.ref.current
    switch (state._tag) {
      case "Closed":
        return true
      case "Open":
        return state.untilMillis <= before
      case "HalfOpen":
        return state.probes.every((probe) => probe.untilMillis <= before)
      case "Isolated":
        return false
    }
  }
}
