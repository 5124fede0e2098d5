/** The waterfall of the very first request. */
import { Effect } from "effect"
import { Stage, Timeline } from "effect-lifecycle/lifecycle"
import { alice, askUrl, json, Services } from "./services.ts"
import type { Scenario } from "./story.ts"
import { wrap } from "./terminal.ts"

const direct = "called directly"

export const firstRequest = {
  title: "POST /users, the first request of all",
  tell: (page) =>
    Effect.gen(function*() {
      const { addresses } = yield* Services
      // By name, so that there is something to look up.
      const url = new URL("/users", addresses.users)
      url.hostname = "localhost"
      const requestId = "tour-one"
      const answer = yield* askUrl(String(url), { method: "POST", headers: { "x-request-id": requestId }, body: alice })
      const timeline = Timeline.make([
        ...answer.timeline.entries,
        ...answer.timeline.notOnRoad,
        Timeline.notOnRoad("Balancer", direct),
        Timeline.notOnRoad("Proxy", direct)
      ])

      page.say("")
      page.say(Timeline.waterfall(timeline, { width: page.terminal.width, color: page.terminal.color }))
      page.say("")
      page.say(wrap(
        "Stages 1 to 4 and the last were measured by the client; 7 to 14 by the service, which told them in the header " +
          "Server-Timing. They are drawn inside the time that the client waited.",
        page.terminal.width
      ))

      page.equal("the status", answer.status, 201)
      page.equal("X-Request-ID", answer.headers["x-request-id"], requestId)
      page.equal("ETag", answer.headers["etag"], "\"1\"")
      const user = json(answer) as { readonly id?: unknown }
      page.equal("the body", user, { id: user.id, ...alice, active: true })
      page.equal("Location", answer.headers["location"], `/users/${String(user.id)}`)

      const measured = Timeline.measuredStages(timeline).filter((stage) =>
        (Timeline.durationMillis(timeline, stage) ?? 0) > 0
      )
      page.holds("stages with a measured time", measured.length >= 11, measured.join(", "), "at least eleven")
      const silent = Stage.all.map(({ name }) => name).filter((name) =>
        Timeline.durationMillis(timeline, name) === undefined &&
        !timeline.notOnRoad.some(({ stage, why }) => stage === name && why !== "")
      )
      page.equal("stages that are neither measured nor said to be absent", silent, [])
      const told = Timeline.make(Timeline.parseServerTiming(answer.headers["server-timing"] ?? ""))
      page.holds(
        "the service's own time",
        Timeline.totalMillis(told) <= answer.waitingMillis + 1,
        `${Timeline.totalMillis(told)} ms`,
        `no more than the ${answer.waitingMillis} ms that the client waited`
      )
    })
} satisfies Scenario<unknown, Services>
