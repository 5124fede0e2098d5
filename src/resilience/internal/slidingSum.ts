/**
 * The sum of what was added in the last while: a ring of slices, moved by whoever asks, so there is no timer. What is older
 * than the window is gone; what is in it may be gone one slice early.
 */

export interface SlidingSum {
  /** The slice it was added to, for `take`. */
  readonly add: (amount: number, nowNanos: bigint) => number
  /** Takes back what was added to a slice, as long as that slice still counts. */
  readonly take: (amount: number, slice: number) => void
  readonly total: (nowNanos: bigint) => number
}

export const makeSlidingSum = (windowMillis: number, slices: number): SlidingSum => {
  const sliceNanos = windowMillis * 1e6 / slices
  const amounts = new Float64Array(slices)
  let started: bigint | undefined = undefined
  let current = 0
  let sum = 0

  const move = (nowNanos: bigint): void => {
    started ??= nowNanos
    const slice = Math.floor(Number(nowNanos - started) / sliceNanos)
    if (slice <= current) return
    if (slice - current >= slices) {
      amounts.fill(0)
      sum = 0
    } else {
      for (let at = current + 1; at <= slice; at++) {
        sum -= amounts[at % slices] ?? 0
        amounts[at % slices] = 0
      }
    }
    current = slice
  }

  const put = (amount: number, slice: number): void => {
    amounts[slice % slices] = (amounts[slice % slices] ?? 0) + amount
    sum += amount
  }

  return {
    add: (amount, nowNanos) => {
      move(nowNanos)
      put(amount, current)
      return current
    },
    take: (amount, slice) => {
      if (current - slice < slices) put(-amount, slice)
    },
    total: (nowNanos) => {
      move(nowNanos)
      return sum
    }
  }
}
