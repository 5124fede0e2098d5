/**
 * A histogram of times with buckets that grow by 2 %, for values that were seen and values that were cut short.
 */

export interface Histogram {
  readonly seen: Map<number, number>
  readonly censored: Map<number, number>
  readonly add: (millis: number, censored: boolean) => void
  /** How many there were. */
  readonly clear: () => number
}

const accuracy = 0.01
const growth = (1 + accuracy) / (1 - accuracy)
const logGrowth = Math.log(growth)
// A nanosecond. Below that everything is one bucket, and so it is above some 30 years.
const smallest = Math.ceil(Math.log(1e-6) / logGrowth)
const largest = Math.ceil(Math.log(1e12) / logGrowth)

const bucketOf = (millis: number): number =>
  millis < 1e-6 ? smallest : Math.min(largest, Math.ceil(Math.log(millis) / logGrowth))

/** The value that is within 1 % of everything in the bucket. */
const valueOf = (bucket: number): number => bucket === smallest ? 0 : 2 * growth ** bucket / (growth + 1)

export const makeHistogram = (): Histogram => {
  const seen = new Map<number, number>()
  const censored = new Map<number, number>()
  let count = 0
  return {
    seen,
    censored,
    add: (millis, isCensored) => {
      const into = isCensored ? censored : seen
      const bucket = bucketOf(millis)
      into.set(bucket, (into.get(bucket) ?? 0) + 1)
      count++
    },
    clear: () => {
      const had = count
      seen.clear()
      censored.clear()
      count = 0
      return had
    }
  }
}

/** The quantiles of several histograms together, by the product-limit estimator. */
export const merged = (histograms: ReadonlyArray<Histogram>): (q: number) => number | undefined => {
  const seen = new Map<number, number>()
  const censored = new Map<number, number>()
  for (const histogram of histograms) {
    for (const [bucket, count] of histogram.seen) seen.set(bucket, (seen.get(bucket) ?? 0) + count)
    for (const [bucket, count] of histogram.censored) censored.set(bucket, (censored.get(bucket) ?? 0) + count)
  }
  const buckets = [...new Set([...seen.keys(), ...censored.keys()])].toSorted((a, b) => a - b)
  let atRisk = 0
  for (const bucket of buckets) atRisk += (seen.get(bucket) ?? 0) + (censored.get(bucket) ?? 0)
  // The share that is done by the end of each bucket; what was cut short in a bucket outlived what ended in it.
  const done: Array<number> = []
  let left = 1
  for (const bucket of buckets) {
    const ended = seen.get(bucket) ?? 0
    left *= 1 - ended / atRisk
    atRisk -= ended + (censored.get(bucket) ?? 0)
    done.push(1 - left)
  }
  return (q) => {
    const last = buckets[buckets.length - 1]
    if (last === undefined) return undefined
    // Products of many fractions end a hair below what they stand for.
    const at = done.findIndex((share) => share >= q - 1e-9)
    return valueOf(buckets[at] ?? last)
  }
}
