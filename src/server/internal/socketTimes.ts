/**
 * When the listener saw a request come, kept on the request object that the platform hands through.
 */
const key: unique symbol = Symbol.for("effect-lifecycle/server/socketTimes")

export interface SocketTimes {
  /** Known for the first request of a connection. */
  readonly connectedNanos: bigint | undefined
  readonly requestNanos: bigint
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
