/** The waterfall of the very first request: over https, through the gateway, to users. */
import { Effect } from "effect"
import { Stage, Timeline } from "effect-lifecycle/lifecycle"
import { alice, askUrl, json, Services } from "./services.ts"
import type { Scenario } from "./story.ts"
import { wrap } from "./terminal.ts"

export const firstRequest = {
  title: "POST /api/users over https, the first request of all",
  tell: (page) =>
    Effect.gen(function*() {
      const { gateway, timed } = yield* Services
      const requestId = "tour-one"
      const answer = yield* askUrl(`${gateway.https}/api/users`, {
        method: "POST",
        headers: { "x-request-id": requestId },
        body: alice,
        ca: gateway.certificate
      })
      const atGateway = Timeline.fromReports(timed.get(requestId) ?? [])
      const told = Timeline.make(Timeline.parseServerTiming(answer.headers["server-timing"] ?? ""))
      // The service begins when the gateway has chosen it.
      const chosen = Timeline.totalMillis(atGateway)
      const behind = told.entries.map((entry) => ({ ...entry, startMillis: chosen + entry.startMillis }))
      const timeline = Timeline.merge(
        Timeline.make(answer.entries),
        Timeline.make([...atGateway.entries, ...behind])
      )

      page.say("")
      page.say(Timeline.waterfall(timeline, { width: page.terminal.width, color: page.terminal.color }))
      page.say("")
      page.say(wrap(
        "Stages 1 to 4 and the last were measured by the client, 5 and 6 by the gateway, which has the certificate and asks " +
          "users over plain http; 7 to 14 by users, which told them in the header Server-Timing. What client and gateway do " +
          "not see of each other is drawn inside the time that the client waited.",
        page.terminal.width
      ))

      page.equal("the status", answer.status, 201)
      page.equal("X-Request-ID", answer.headers["x-request-id"], requestId)
      page.equal("ETag", answer.headers["etag"], "\"1\"")
      page.equal("Via", answer.headers["via"], "1.1 gateway")
      page.holds("the version of TLS", answer.tlsVersion === "TLSv1.3", answer.tlsVersion, "TLSv1.3")
      const user = json(answer) as { readonly id?: unknown }
      page.equal("the body", user, { id: user.id, ...alice, active: true })
      page.equal("Location", answer.headers["location"], `/api/users/${String(user.id)}`)

      const silent = Stage.all.map(({ name }) => name).filter((name) =>
        !((Timeline.durationMillis(timeline, name) ?? 0) > 0)
      )
      page.equal("stages without a measured time", silent, [])
      page.holds(
        "the time of gateway and service",
        chosen + Timeline.totalMillis(told) <= answer.waitingMillis + 1,
        `${chosen + Timeline.totalMillis(told)} ms`,
        `no more than the ${answer.waitingMillis} ms that the client waited`
      )
    })
} satisfies Scenario<unknown, Services>
