/** The fields of a configuration that only a restart can change. */
import type { GatewayConfig } from "../GatewayConfig.ts"
import type { Problem } from "./configIssues.ts"

/**
 * Where a gateway with this configuration listens: `127.0.0.1` and port 8080 where it does not say.
 *
 * @category getters
 * @since 0.1.0
 */
export const addressOf = ({ listen }: GatewayConfig): { readonly host: string; readonly port: number } => ({
  host: listen?.host ?? "127.0.0.1",
  port: listen?.port ?? 8080
})

export const headerBytesOf = ({ limits }: GatewayConfig): number => limits?.headerBytes ?? 16_384

/**
 * Why a gateway that runs with `current` cannot take `next`; empty where it can.
 *
 * @category getters
 * @since 0.1.0
 */
export const needsRestart = (current: GatewayConfig, next: GatewayConfig): ReadonlyArray<Problem> => {
  const changed = (path: string, a: string | number, b: string | number) =>
    a === b ? [] : [{ path, message: `It cannot change from ${a} to ${b} without a restart` }]
  const [from, to] = [addressOf(current), addressOf(next)]
  const tls = (config: GatewayConfig) => config.tls === undefined ? "off" : "on"
  return [
    ...changed("listen.host", from.host, to.host),
    ...changed("listen.port", from.port, to.port),
    ...changed("tls", tls(current), tls(next)),
    ...changed("limits.headerBytes", headerBytesOf(current), headerBytesOf(next))
  ]
}
