import { Effect } from "effect"
import { type Answer, player, type Script } from "./upstreamAnswer.ts"

/**
 * A request that an upstream has received.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received {
  /** From 1, in order of arrival. */
  readonly number: number
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** Path and query. */
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** On the wall clock of the upstream. */
  readonly arrivedAtMillis: number
  /**
   * `open` until the upstream is done. Then `answered`, `broken` where the script says so, or `aborted`: the client went
   * away first.
   */
  readonly outcome: "open" | "answered" | "broken" | "aborted"
}

/** The log of an upstream, its script, and those who wait for the log. */
export class Journal {
  #entries: Array<Received> = []
  #play: (request: Received) => Answer
  readonly #waiters = new Set<() => void>()

  constructor(script: Script) {
    this.#play = player(script)
  }

  rescript(script: Script): void {
    this.#play = player(script)
  }

  arrived(request: Omit<Received, "number" | "outcome">): { readonly received: Received; readonly answer: Answer } {
    const received: Received = { ...request, number: this.#entries.length + 1, outcome: "open" }
    this.#entries.push(received)
    this.#changed()
    return { received, answer: this.#play(received) }
  }

  /** The first end counts: a connection that closes after its answer was written is not an abort. */
  ended(received: Received, outcome: Exclude<Received["outcome"], "open">): void {
    const index = received.number - 1
    const entry = this.#entries[index]
    if (entry === undefined || entry.outcome !== "open") return
    this.#entries[index] = { ...entry, outcome }
    this.#changed()
  }

  snapshot(): ReadonlyArray<Received> {
    return [...this.#entries]
  }

  when(predicate: (requests: ReadonlyArray<Received>) => boolean): Effect.Effect<ReadonlyArray<Received>> {
    return Effect.callback<ReadonlyArray<Received>>((resume) => {
      const look = () => {
        const now = this.snapshot()
        if (!predicate(now)) return
        this.#waiters.delete(look)
        resume(Effect.succeed(now))
      }
      this.#waiters.add(look)
      look()
      return Effect.sync(() => this.#waiters.delete(look))
    })
  }

  #changed(): void {
    for (const look of this.#waiters) look()
  }
}
