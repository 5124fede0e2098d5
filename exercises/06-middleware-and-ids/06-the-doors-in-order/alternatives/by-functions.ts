// Routes are named by functions, the client's address is read with the library's own function, and the problem by hand.
import { Admission, RateLimits, TrustedHops } from "effect-lifecycle/server"
import { type Answer, types } from "../shop.ts"
import type { Refusal } from "../solution.ts"

export type { Refusal } from "../solution.ts"

const isNotice = ({ method, path }: { readonly method: string; readonly path: string }): boolean =>
  `${method} ${path}` === "POST /notices"
const isReport = (url: string): boolean => url.startsWith("/reports/")

export const doors = {
  service: "shop",
  admission: Admission.stage({
    permits: 4,
    queue: 4,
    maxWait: 2000,
    exempt: isNotice,
    priorities: { high: ["POST /orders"], low: ["/reports/*"] }
  }),
  limitByAddress: RateLimits.byAddress({
    policies: [{ name: "address", limit: 60, window: 60_000, algorithm: "token-bucket" }],
    key: (address) => TrustedHops.networkOf(address)
  }),
  limitByUser: RateLimits.byUser({
    policies: [{ name: "user", limit: 10, window: 60_000 }],
    cost: ({ method, url }) => isNotice({ method, path: url }) ? 0 : isReport(url) ? 5 : 1
  })
}

export const refusalOf = ({ body, headers }: Answer): Refusal | undefined => {
  const waitSeconds = Number(headers["retry-after"])
  if (body.includes(`"${types.overloaded}"`)) return { door: "admission", waitSeconds }
  if (!body.includes(`"${types.quota}"`)) return undefined
  const names = /"violated-policies":\["(address|user)"/.exec(body)?.[1]
  return names === "address" || names === "user" ? { door: names, waitSeconds } : undefined
}
