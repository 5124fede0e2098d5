/** How a command is started without a network, where the machine permits that. */
import { spawnSync } from "node:child_process"

const ways = [["unshare", "--net"], ["unshare", "--map-current-user", "--net"]]

/**
 * The words before a command that take the network from it. Root needs no user namespace; others get one in which they
 * stay who they are.
 */
export const closedNetwork = (): ReadonlyArray<string> | undefined =>
  process.platform !== "linux"
    ? undefined
    : ways.find(([command = "", ...args]) => spawnSync(command, [...args, "true"], { stdio: "ignore" }).status === 0)
