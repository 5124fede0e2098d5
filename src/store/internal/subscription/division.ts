/** How owners divide the partitions of a subscription between them: pure, one step at a time. */

export interface Partition {
  readonly index: number
  /** Everything of its streams up to here has been handled, or was not asked for. */
  readonly position: bigint
  readonly paused: { readonly position: bigint; readonly reason: string } | undefined
  readonly owner: string | undefined
  /** Grows with every change of the owner, so that a commit of an earlier one can be told. */
  readonly token: bigint
}

/** Partitions are to be divided anew: all of them go on to one position, and stop there. */
export interface Plan {
  readonly count: number
  readonly at: bigint
}

export interface Division {
  /** Grows whenever the partitions are divided anew. */
  readonly generation: number
  /** In order of their index, as many as there are. */
  readonly partitions: ReadonlyArray<Partition>
  readonly plan: Plan | undefined
  /** Who is alive, in order. */
  readonly owners: ReadonlyArray<string>
}

/** What an owner does next. */
export interface Turn {
  readonly release: ReadonlyArray<number>
  readonly claim: ReadonlyArray<number>
}

/** As even as it can be: nobody has two more than another. */
export const shareOf = (count: number, owners: ReadonlyArray<string>, owner: string): number => {
  const place = owners.indexOf(owner)
  if (place === -1) return 0
  return Math.floor(count / owners.length) + (place < count % owners.length ? 1 : 0)
}

/**
 * An owner gives back what is more than its share, and takes what nobody alive has, up to its share. Who has too little
 * waits for who has too much. An owner that is stuck on a partition gives it back and takes nothing: it is not counted as
 * alive, so that the others take what it has. What is still being left is not taken again.
 */
export const turn = (
  division: Division,
  owner: string,
  stuck: ReadonlySet<number>,
  leaving: ReadonlySet<number> = stuck
): Turn => {
  const mine = division.partitions.filter((partition) => partition.owner === owner)
  if (stuck.size > 0) return { release: indexesOf(mine.filter(({ index }) => stuck.has(index))), claim: [] }
  const share = shareOf(division.partitions.length, division.owners, owner)
  const free = division.partitions.filter((partition) =>
    !leaving.has(partition.index) && (partition.owner === undefined || !division.owners.includes(partition.owner))
  )
  return {
    release: indexesOf(mine.slice(share)),
    claim: indexesOf(free.slice(0, Math.max(0, share - mine.length)))
  }
}

const indexesOf = (partitions: ReadonlyArray<Partition>): ReadonlyArray<number> => partitions.map(({ index }) => index)

/** What becomes of the plan when somebody starts who wants `count` partitions; `unchanged` when nothing does. */
export const planFor = (division: Division, count: number): Plan | undefined | "unchanged" => {
  const { partitions, plan } = division
  if (partitions.length === count) return plan === undefined ? "unchanged" : undefined
  if (plan !== undefined) return plan.count === count ? "unchanged" : { ...plan, count }
  return { count, at: partitions.reduce((highest, { position }) => position > highest ? position : highest, 0n) }
}

/** Whether every partition has come to where they are divided anew. */
export const isAligned = ({ partitions, plan }: Division): boolean =>
  plan !== undefined && partitions.every(({ paused, position }) => paused === undefined && position === plan.at)

/** Up to here nothing is left to do, in any partition. */
export const lowest = (positions: Iterable<bigint>): bigint => {
  let least: bigint | undefined
  for (const position of positions) if (least === undefined || position < least) least = position
  return least ?? 0n
}
