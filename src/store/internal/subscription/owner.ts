/** One owner of a subscription: takes its share of the partitions, works on them, and gives them back. */
import { Cause, Clock, Effect, Exit, Fiber, Option } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import { type Division, isAligned, lowest, planFor, turn } from "./division.ts"
import { follow, persist, type Stores, type Work } from "./partition.ts"
import { Signal } from "../Signal.ts"

export interface Ownership {
  readonly owner: string
  /** How many partitions whoever starts now wants. */
  readonly count: number
  /** Where a name without a checkpoint begins. */
  readonly position: bigint
}

interface Loop {
  readonly token: bigint
  fiber: Fiber.Fiber<void> | undefined
  busySince: number | undefined
  leaving: boolean
}

/** How long giving back may take at the end; what is not given back is taken when the lease is over. */
const leaveMillis = 2000
/** Owners look at each other so often, at most. */
const beatMillis = 2000

export const run = <E, R>(
  stores: Stores,
  work: Work<E, R>,
  { count, owner, position }: Ownership
): Effect.Effect<never, never, R> => {
  const { backend, unit } = stores
  const { leaseMillis, name, progress, timeoutMillis } = work
  const beat = Math.max(10, Math.min(beatMillis, Math.floor(leaseMillis / 5)))
  const loops = new Map<number, Loop>()
  const woken = new Signal()
  let dirty = false
  let wish: number | undefined = count
  let defect: Cause.Cause<never> | undefined
  const wake = () => {
    dirty = true
    woken.notify()
  }

  const locked = Effect.gen(function*() {
    const found = yield* backend.lock(name)
    if (found !== undefined) return found
    yield* backend.open(name, count, position)
    return (yield* backend.lock(name)) ?? (yield* Effect.die(new Error(`The subscription "${name}" cannot be opened`)))
  })

  /** A change of the division takes every partition from its owner first: then no commit can be under way. */
  const divided = Effect.fnUntraced(function*(before: Division) {
    let division = before
    if (wish !== undefined && planFor(division, wish) !== "unchanged") {
      yield* Effect.forEach(division.partitions, ({ index }) => backend.assign(name, index, undefined), {
        discard: true
      })
      division = yield* locked
      const plan = planFor(division, wish)
      if (plan !== "unchanged") yield* backend.plan(name, plan)
      division = yield* locked
    }
    if (division.plan === undefined || !isAligned(division)) return division
    yield* backend.divide(name, division.plan)
    return yield* locked
  })

  const takeTurn = (now: number) =>
    unit.run(Effect.gen(function*() {
      const stuck = loopsThat(({ busySince }) =>
        busySince !== undefined && now - busySince > timeoutMillis + leaseMillis
      )
      yield* divided(yield* locked)
      // A handler that was interrupted at the end of its time and still runs must not keep partitions from others.
      yield* stuck.size > 0 ? backend.leave(name, owner) : backend.attend(name, owner, leaseMillis)
      const division = yield* locked
      const { claim, release } = turn(division, owner, stuck, loopsThat(({ leaving }) => leaving))
      yield* Effect.forEach(release, (index) => backend.assign(name, index, undefined), { discard: true })
      yield* Effect.forEach(claim, (index) => backend.assign(name, index, owner), { discard: true })
      return claim.length + release.length === 0 ? division : yield* locked
    }))

  /**
   * Keeps the lease while a turn is longer than it and a look at the division has to wait: for the lock, which another
   * process may hold, or for a store that is away. Nothing here is waited for by others, or waits for them.
   */
  const heartbeat = Effect.gen(function*() {
    const every = Math.floor(leaseMillis / 3)
    yield* Effect.sleep(every)
    if (loops.size === 0) return
    const kept = yield* backend.renew(name, owner, leaseMillis).pipe(
      Effect.timeoutOption(every),
      Effect.orElseSucceed(Option.none<boolean>)
    )
    if (Option.isSome(kept) && !kept.value) wake() // forgotten: what it had may be somebody else's by now
  }).pipe(Effect.forever)

  const loopsThat = (holds: (loop: Loop) => boolean): ReadonlySet<number> =>
    new Set([...loops].filter(([, loop]) => holds(loop)).map(([index]) => index))

  const start = Effect.fnUntraced(function*(division: Division, index: number) {
    const partition = division.partitions[index]
    if (partition === undefined) return
    const loop: Loop = { token: partition.token, fiber: undefined, busySince: undefined, leaving: false }
    loops.set(index, loop)
    loop.fiber = yield* follow(stores, work, {
      hold: { name, index, token: partition.token },
      count: division.partitions.length,
      generation: division.generation,
      plan: division.plan,
      checkpoint: partition,
      busy: (since) => {
        loop.busySince = since
      },
      aligned: wake
    }).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          loops.delete(index)
          if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) defect = exit.cause
          wake()
        })
      ),
      Effect.forkChild
    )
  })

  const settle = Effect.fnUntraced(function*(division: Division) {
    progress.learn(division)
    const mine = division.partitions.filter((partition) => partition.owner === owner)
    for (const [index, loop] of loops) {
      const held = mine.some((partition) => partition.index === index && partition.token === loop.token)
      if (held || loop.leaving) continue
      loop.leaving = true
      progress.handedOver()
      if (loop.fiber !== undefined) yield* Effect.forkChild(Fiber.interrupt(loop.fiber))
    }
    for (const { index } of mine) if (!loops.has(index)) yield* start(division, index)
  })

  const report = Effect.withFiber<void, never>((fiber) => {
    const recorder = fiber.getRef(Recorder.Current)
    if (recorder === undefined) return Effect.void
    return Effect.gen(function*() {
      const found = yield* backend.find(name)
      const positions = found?.partitions.map(({ index, position }) => {
        const local = progress.positionOf(index)
        return local > position ? local : position
      }) ?? []
      const at = lowest(positions)
      const highest = yield* backend.highest
      const { gapMillis, holders, mark } = yield* backend.highWater
      recorder({
        _tag: "SubscriptionObserved",
        subscription: name,
        lag: highest > at ? Number(highest - at) : 0,
        lagMillis: highest > at ? yield* backend.ageAfter(at) : 0,
        owned: loops.size,
        paused: found?.partitions.filter(({ paused }) => paused !== undefined).length ?? 0,
        deadLetters: yield* backend.countBuried(name),
        mark: Number(mark),
        gapMillis: gapMillis ?? 0,
        holders
      }, fiber)
    }).pipe(Effect.ignore)
  })

  const leave = unit.run(Effect.gen(function*() {
    const division = yield* backend.lock(name)
    for (const partition of division?.partitions ?? []) {
      if (partition.owner === owner) yield* backend.assign(name, partition.index, undefined)
    }
    yield* backend.leave(name, owner)
  }))

  return Effect.gen(function*() {
    yield* Effect.forkChild(heartbeat)
    while (true) {
      dirty = false
      const { handovers } = progress
      yield* settle(yield* persist(takeTurn(yield* Clock.currentTimeMillis)))
      wish = undefined
      yield* report
      yield* Effect.timeoutOption(woken.until(() => dirty), beat).pipe(
        Effect.raceFirst(progress.changed.until(() => progress.handovers !== handovers))
      )
      if (defect !== undefined) return yield* Effect.failCause(defect)
    }
  }).pipe(
    Effect.ensuring(Effect.gen(function*() {
      const fibers = [...loops.values()].flatMap(({ fiber }) => fiber === undefined ? [] : [fiber])
      yield* Fiber.interruptAll(fibers)
      yield* Effect.interruptible(leave).pipe(Effect.timeout(leaveMillis), Effect.ignoreCause)
      progress.handedOver()
    }))
  ) as Effect.Effect<never, never, R>
}
