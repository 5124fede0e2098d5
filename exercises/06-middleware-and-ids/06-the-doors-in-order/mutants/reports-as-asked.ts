// fails: b - names the path of a report and not its route
import { Option, Schema } from "effect"
import { Admission, RateLimits } from "effect-lifecycle/server"
import { type Answer, types } from "../shop.ts"

export const doors = {
  service: "shop",
  admission: Admission.stage({
    permits: 4,
    queue: 4,
    maxWait: "2 seconds",
    exempt: ["POST /notices"],
    priorities: { high: ["POST /orders"], low: ({ path }) => path === "/reports/today" }
  }),
  limitByAddress: RateLimits.byAddress({ policies: [{ name: "address", limit: 60, window: "1 minute" }] }),
  limitByUser: RateLimits.byUser({
    policies: [{ name: "user", limit: 10, window: "1 minute" }],
    exempt: ["POST /notices"],
    cost: { "GET /reports/:day": 5 }
  })
}

export interface Refusal {
  readonly door: "admission" | "address" | "user"
  readonly waitSeconds: number
}

const Problem = Schema.fromJsonString(Schema.Struct({
  type: Schema.String,
  "violated-policies": Schema.optionalKey(Schema.Array(Schema.String))
}))

const doorOf = (body: string): Refusal["door"] | undefined => {
  const problem = Option.getOrUndefined(Schema.decodeOption(Problem)(body))
  if (problem?.type === types.overloaded) return "admission"
  if (problem?.type !== types.quota) return undefined
  return (["address", "user"] as const).find((name) => problem["violated-policies"]?.includes(name))
}

export const refusalOf = ({ body, headers }: Answer): Refusal | undefined => {
  const door = doorOf(body)
  return door === undefined ? undefined : { door, waitSeconds: Number(headers["retry-after"]) }
}
