/** What this process knows of a subscription without asking the store. */
import { type Division, lowest } from "./division.ts"
import { Signal } from "../Signal.ts"

export class Progress {
  /** Counts what could concern a pause. */
  turns = 0
  /** Counts what an owner of this process has given back. */
  handovers = 0
  readonly changed = new Signal()
  private generation = 0
  private count = 0
  /** A position that was reached once stays reached, whoever has the partition now. */
  private readonly positions = new Map<number, bigint>()

  readonly learn = (division: Division): void => {
    if (division.generation !== this.generation) {
      if (division.generation < this.generation) return
      this.generation = division.generation
      this.positions.clear()
    }
    this.count = division.partitions.length
    for (const { index, position } of division.partitions) this.raise(index, position)
    this.changed.notify()
  }

  readonly moved = (generation: number, index: number, position: bigint): void => {
    if (generation !== this.generation) return
    this.raise(index, position)
    this.changed.notify()
  }

  /** Everything up to here has been handled, as far as is known here; below every position when nothing is. */
  get position(): bigint {
    return this.count > 0 && this.positions.size === this.count ? lowest(this.positions.values()) : -1n
  }

  readonly positionOf = (index: number): bigint => this.positions.get(index) ?? -1n

  readonly resumed = (): void => {
    this.turns++
    this.changed.notify()
  }

  readonly handedOver = (): void => {
    this.handovers++
    this.changed.notify()
  }

  /** The subscription has been removed; what is begun under its name again knows nothing of it. */
  readonly forget = (): void => {
    this.generation = 0
    this.count = 0
    this.positions.clear()
  }

  private raise(index: number, position: bigint): void {
    if (position > this.positionOf(index)) this.positions.set(index, position)
  }
}
