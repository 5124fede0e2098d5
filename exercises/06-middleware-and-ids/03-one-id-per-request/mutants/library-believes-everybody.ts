// fails: e - names the header and believes whoever sends it
import { RequestIds } from "effect-lifecycle/server"
import { stages as right } from "../solution.ts"

export { edge, header, idFrom, requestIds } from "../solution.ts"

export const stages = { ...right, requestIds: RequestIds.stage({ trust: "all", headers: ["x-edge-id"] }) }
