/**
 * When the listener saw a request come, kept on the request object that the platform hands through.
 */
const key = Symbol.for("effect-lifecycle/server/socketTimes")

export interface SocketTimes {
  /** Known for the first request of a connection. */
  readonly connectedNanos: bigint | undefined
  readonly requestNanos: bigint
}

export const attach = (source: object, times: SocketTimes): void => {
  Object.defineProperty(source, key, { value: times })
}

export const read = (source: object): SocketTimes | undefined => key in source ? source[key] as SocketTimes : undefined
