/** One timer of Node for the deadline of one attempt: nearly none fires, and a fiber that sleeps costs far more. */
import { Clock, type Fiber, Option } from "effect"
import { clearTimeout, setTimeout } from "node:timers"
import * as Deadline from "../../request/Deadline.ts"

/** What a timer of Node can take. */
const longestMillis = 2_147_483_647

/** Calls `passed` once the deadline of the fiber has passed, unless the returned function was called before. */
export const atDeadline = (fiber: Fiber.Fiber<unknown, unknown>, passed: () => void): () => void => {
  const deadline = fiber.getRef(Deadline.Current)
  if (Option.isNone(deadline)) return () => {}
  const clock = fiber.getRef(Clock.Clock)
  const { expiresAtNanos } = deadline.value
  let timer: NodeJS.Timeout | undefined
  const wait = () => {
    const left = Number(expiresAtNanos - clock.monotonicTimeNanosUnsafe()) / 1e6
    timer = setTimeout(look, Math.min(Math.max(0, Math.ceil(left)), longestMillis))
  }
  // A timer may fire a little early by the monotonic clock, and then waits for the rest.
  const look = () => clock.monotonicTimeNanosUnsafe() < expiresAtNanos ? wait() : passed()
  wait()
  return () => clearTimeout(timer)
}
