/** UUID version 7 (RFC 9562) from the `Clock` and `Random`: time first, so that new ids sit together in an index. */
import { Clock, type Fiber, Random } from "effect"

const bytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** Four digits of the lowest 16 bits. */
const hex = (value: number): string => `${bytes[value >>> 8 & 0xff]}${bytes[value & 0xff]}`

/** The next id of a fiber. Not a secret: `Random` is no source of secure randomness. */
export const uuid = (fiber: Fiber.Fiber<unknown, unknown>): string => {
  const random = fiber.getRef(Random.Random)
  const bits = (count: number): number => Math.floor(random.nextDoubleUnsafe() * 2 ** count)
  const millis = Math.max(0, Math.trunc(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()))
  const variant = 0x8000 + bits(14)
  const version = 0x7000 + bits(12)
  const rest = bits(48)
  const [high, low] = [Math.trunc(millis / 2 ** 16), Math.trunc(rest / 2 ** 16)]
  return `${hex(high >>> 16)}${hex(high)}-${hex(millis)}-${hex(version)}-${hex(variant)}-${hex(low >>> 16)}${hex(low)}${
    hex(rest)
  }`
}

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const isUuid = (text: string): boolean => pattern.test(text)
