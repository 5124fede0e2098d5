import { type Array as Arr, Cause, Effect, MutableHashSet, Predicate, type Pull, Result, Stream } from "effect"
import { InvalidOption } from "../InvalidOption.ts"
import { both } from "./fallbackSwitch.ts"

/**
 * What is known about a stream that broke.
 *
 * @category models
 * @since 0.1.0
 */
export interface Broken<out A, out E, out K = unknown> {
  readonly cause: Cause.Cause<E>
  /** How many items had been delivered. */
  readonly delivered: number
  /** The last one, when there was one. */
  readonly last: A | undefined
  /** Its key, in the modes that name a key. */
  readonly lastKey: K | undefined
}

/**
 * What happens to items that were delivered before the break.
 *
 * - `"fail"`: after the first delivered item the failure stands.
 * - `"restart"`: the fallback runs from its own start, and items may repeat.
 * - `"resume"`, `{ resumeBy: key }`: the fallback continues after what was delivered.
 * - `{ dedupeBy: key }`: the fallback runs from its own start, and an item whose key was delivered is dropped.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode<A, K = unknown> = "fail" | "restart" | "resume" | Keyed<A, K>

/**
 * The modes that name a key. Keys are compared by `Equal`, so structures are fine.
 *
 * @category models
 * @since 0.1.0
 */
export type Keyed<A, K> = { readonly resumeBy: (item: A) => K } | { readonly dedupeBy: (item: A) => K }

/** A mode that is missing or misspelt would be taken for one that repeats items, and it is the caller's to say. */
export const checkMode = (
  module: string,
  mode: unknown,
  names: ReadonlyArray<string>,
  functions: ReadonlyArray<string>
): void => {
  const known = typeof mode === "string"
    ? names.includes(mode)
    : functions.some((name) => Predicate.hasProperty(mode, name) && typeof mode[name] === "function")
  if (known) return
  throw new InvalidOption({
    module,
    option: "mode",
    value: typeof mode === "object" ? JSON.stringify(mode) : String(mode),
    allowed: `one of ${names.join(", ")}, or an object with the function ${functions.join(" or ")}`
  })
}

/**
 * The marker of a switch: everything after it comes from the fallback.
 *
 * @category models
 * @since 0.1.0
 */
export class Switched<out A = unknown, out E = unknown, out K = unknown> implements Broken<A, E, K> {
  readonly _tag = "FallbackSwitched"
  readonly name: string
  readonly cause: Cause.Cause<E>
  readonly delivered: number
  readonly last: A | undefined
  readonly lastKey: K | undefined
  constructor(name: string, broken: Broken<A, E, K>) {
    this.name = name
    this.cause = broken.cause
    this.delivered = broken.delivered
    this.last = broken.last
    this.lastKey = broken.lastKey
  }
}

/**
 * Whether an element is the marker of a switch.
 *
 * @category guards
 * @since 0.1.0
 */
export const isSwitched = (element: unknown): element is Switched => element instanceof Switched

/** What has reached the consumer of one run of one stream. Markers are no items: they pass and are not counted. */
export class Delivery<A, K> {
  delivered = 0
  /** Why the first source was left, so that a later defect of ours can be told beside it. */
  left: Cause.Cause<unknown> | undefined = undefined
  private last: A | undefined = undefined
  private readonly seen = MutableHashSet.empty<K>()
  private readonly dedupeBy: ((item: A) => K) | undefined
  private readonly resumeBy: ((item: A) => K) | undefined

  constructor(mode: Mode<A, K>) {
    this.dedupeBy = typeof mode === "object" && "dedupeBy" in mode ? mode.dedupeBy : undefined
    this.resumeBy = typeof mode === "object" && "resumeBy" in mode ? mode.resumeBy : undefined
  }

  /** The key function may throw, and this with it. */
  broken<E>(cause: Cause.Cause<E>): Broken<A, E, K> {
    const { last } = this
    const key = this.dedupeBy ?? this.resumeBy
    const lastKey = this.delivered === 0 || key === undefined ? undefined : key(last as A) // an item was delivered
    return { cause, delivered: this.delivered, last, lastKey }
  }

  /**
   * Watches what passes. It stands outside the recovery, so that a key function that throws is never taken for a failure
   * of the source, and after the items of a broken source have been counted the recovery sees the count.
   */
  watch<M extends Switched, E, R>(source: Stream.Stream<A | M, E, R>): Stream.Stream<A | M, E, R> {
    return Stream.transformPull(source, (pull) => {
      let pending: Effect.Effect<never, E> | undefined
      const next: Pull.Pull<Arr.NonEmptyReadonlyArray<A | M>, E> = Effect.suspend(() =>
        pending ?? Effect.flatMap(pull, (items) => {
          const fresh: Array<A | M> = []
          const noted = Result.try({
            try: () => {
              for (const item of items) if (this.note(item)) fresh.push(item)
            },
            catch: Cause.die
          })
          if (Result.isFailure(noted)) {
            // the type of the first source's failures is part of E, though it is not known here
            const first = this.left as Cause.Cause<E> | undefined
            pending = Effect.failCause(first === undefined ? noted.failure : both(first, noted.failure))
          }
          return isNonEmpty(fresh) ? Effect.succeed(fresh) : next
        })
      )
      return Effect.succeed(next)
    })
  }

  private note(item: A | Switched): boolean {
    if (isSwitched(item)) return true
    if (this.dedupeBy !== undefined) {
      const key = this.dedupeBy(item)
      if (MutableHashSet.has(this.seen, key)) return false
      MutableHashSet.add(this.seen, key)
    }
    this.delivered++
    this.last = item
    return true
  }
}

const isNonEmpty = <A>(items: Array<A>): items is Arr.NonEmptyArray<A> => items.length > 0
