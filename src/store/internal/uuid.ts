/** UUID version 7 (RFC 9562) from the `Clock` and `Random`: time first, so that new ids sit together in an index. */
import { Clock, type Fiber, Random } from "effect"

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

/** The next id of a fiber. Not a secret: `Random` is no source of secure randomness. */
export const uuid = (fiber: Fiber.Fiber<unknown, unknown>): string => {
  const random = fiber.getRef(Random.Random)
  const bits = (count: number): number => Math.floor(random.nextDoubleUnsafe() * 2 ** count)
  const millis = hex(Math.max(0, Math.trunc(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())), 12).slice(-12)
  const variant = hex(0x8000 + bits(14), 4)
  return `${millis.slice(0, 8)}-${millis.slice(8)}-7${hex(bits(12), 3)}-${variant}-${hex(bits(48), 12)}`
}

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const isUuid = (text: string): boolean => pattern.test(text)
