/** The calls of a stretch of time, in buckets. Immutable: a new bucket copies the list, a call copies one small object. */
export interface WindowCounts {
  readonly _tag: "Window"
  /** The number of the newest bucket: its start divided by the width. */
  readonly bucket: number
  readonly calls: number
  readonly bad: number
  /** Of all buckets, the newest included. */
  readonly totalCalls: number
  readonly totalBad: number
  /** The older buckets that count: number, calls, bad; one after another, oldest first. */
  readonly older: ReadonlyArray<number>
}

export const emptyWindow: WindowCounts = {
  _tag: "Window",
  bucket: 0,
  calls: 0,
  bad: 0,
  totalCalls: 0,
  totalBad: 0,
  older: []
}

/** The window as it is in bucket `bucket`. */
export const moveWindow = (counts: WindowCounts, bucket: number, windows: number): WindowCounts => {
  if (bucket <= counts.bucket) return counts
  const older: Array<number> = []
  let totalCalls = 0
  let totalBad = 0
  const keep = (number: number, calls: number, bad: number) => {
    if (calls === 0 || number <= bucket - windows) return
    older.push(number, calls, bad)
    totalCalls += calls
    totalBad += bad
  }
  for (let i = 0; i + 2 < counts.older.length; i += 3) {
    keep(counts.older[i] ?? 0, counts.older[i + 1] ?? 0, counts.older[i + 2] ?? 0)
  }
  keep(counts.bucket, counts.calls, counts.bad)
  // The copy is as long as what is in it; a pushed array keeps room to grow, in every key.
  return { _tag: "Window", bucket, calls: 0, bad: 0, totalCalls, totalBad, older: older.slice() }
}

export const addToWindow = (counts: WindowCounts, bad: boolean, bucket: number, windows: number): WindowCounts => {
  const now = bucket > counts.bucket ? moveWindow(counts, bucket, windows) : counts
  const one = bad ? 1 : 0
  return {
    _tag: "Window",
    bucket: now.bucket,
    calls: now.calls + 1,
    bad: now.bad + one,
    totalCalls: now.totalCalls + 1,
    totalBad: now.totalBad + one,
    older: now.older
  }
}

/** The last calls, one bit each. The word being written is kept apart, so that the ring is copied once in 30 calls. */
export interface RingCounts {
  readonly _tag: "Ring"
  readonly words: ReadonlyArray<number>
  readonly word: number
  /** Where the next bit goes. */
  readonly position: number
  readonly totalCalls: number
  readonly totalBad: number
}

/** Bits that fit a small integer of the engine. */
const wordBits = 30

export const emptyRing = (size: number): RingCounts => ({
  _tag: "Ring",
  words: Array.from({ length: Math.ceil(size / wordBits) }, () => 0),
  word: 0,
  position: 0,
  totalCalls: 0,
  totalBad: 0
})

export const addToRing = (counts: RingCounts, bad: boolean, size: number): RingCounts => {
  const mask = 1 << (counts.position % wordBits)
  const replaced = (counts.word & mask) === 0 ? 0 : 1
  const word = bad ? counts.word | mask : counts.word & ~mask
  const position = counts.position + 1 === size ? 0 : counts.position + 1
  const moves = position % wordBits === 0
  const words = moves ? counts.words.slice() : counts.words
  if (moves) (words as Array<number>)[Math.floor(counts.position / wordBits)] = word
  return {
    _tag: "Ring",
    words,
    word: moves ? words[Math.floor(position / wordBits)] ?? 0 : word,
    position,
    totalCalls: Math.min(size, counts.totalCalls + 1),
    totalBad: counts.totalBad + (bad ? 1 : 0) - replaced
  }
}
