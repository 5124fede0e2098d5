// fails: e - reads the edge's header before the usual one, which the edge hands through from anybody
import { RequestIds } from "effect-lifecycle/server"
import { edge, stages as right } from "../solution.ts"

export { edge, header, idFrom, requestIds } from "../solution.ts"

export const stages = {
  ...right,
  requestIds: RequestIds.stage({ trust: (address) => address === edge, headers: ["x-edge-id", "x-request-id"] })
}
