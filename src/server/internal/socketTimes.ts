/**
 * When the listener saw a request come, and who answers it, kept on the request object that the platform hands through.
 */
import type { Fiber } from "effect"

const key: unique symbol = Symbol.for("effect-lifecycle/server/socketTimes")

export interface SocketTimes {
  /** Known for the first request of a connection. */
  readonly connectedNanos: bigint | undefined
  readonly requestNanos: bigint
  /** The fiber of the exchange, once there is one. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

/** A request object that can carry its times. */
interface Stamped {
  [key]?: SocketTimes
}

/** By assignment: `Object.defineProperty` took more of a request's time than the clock it notes. */
export const attach = (source: object, times: SocketTimes): void => {
  ;(source as Stamped)[key] = times
}

export const read = (source: object): SocketTimes | undefined => (source as Stamped)[key]
