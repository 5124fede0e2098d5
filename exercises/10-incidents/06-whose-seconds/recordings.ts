/**
 * What the three services remember of their requests, as `npx lifecycle story ID --json` and the page `/lifecycle`
 * have it: on a calm day, and in the hour of the letters. Given; there is nothing to change here. The check has more
 * of both.
 */
import type { Stage, Story } from "effect-lifecycle/lifecycle"

/** A request that a part has sent to another service. */
export interface Sent {
  /** Which of the part's steps it is, as `cause.step` of the part that answered it has it. */
  readonly step: number
  /** The service it went to. */
  readonly to: string
  /** Since the start of the part. */
  readonly startMillis: number
  readonly endMillis: number
  /** No answer, or one with a 5xx. */
  readonly failed: boolean
  /** Whether the call failed that this was an attempt of: a later attempt may have mended it. */
  readonly callFailed: boolean
}

/** What a part has sent, in the order in which it began. Each attempt of a call is a request of its own. */
export const sentBy = ({ steps }: Story.Part): ReadonlyArray<Sent> =>
  steps.flatMap((step, index) => {
    if (step.kind !== "attempt" || step.call === undefined) return []
    const end = step.startMillis + step.durationMillis
    const call = steps.find((other) =>
      other.kind === "call" && other.name === step.name && other.startMillis <= step.startMillis &&
      end <= other.startMillis + other.durationMillis
    )
    return [{
      step: index,
      to: new URL(step.call.endpoint).hostname,
      startMillis: step.startMillis,
      endMillis: end,
      failed: step.failed,
      callFailed: call?.failed ?? step.failed
    }]
  })

// From here on it is about how the recordings are made.

/** What a service does for one request. */
export interface Visit {
  readonly service: string
  readonly route: string
  /** Milliseconds in the stages before the handler. */
  readonly stages?: { readonly [S in Stage.StageName]?: number }
  /** What the handler does, one after the other: milliseconds of its own, a call, or several calls at once. */
  readonly does: ReadonlyArray<number | Call | ReadonlyArray<Call>>
  /** Milliseconds to write the answer. */
  readonly answers?: number
  readonly status?: number
  /** The stage that answered, where it was not the handler. */
  readonly by?: Stage.StageName
  /** So far is the clock of its machine ahead. */
  readonly ahead?: number
}

/** Attempts, one after the other. */
export interface Call {
  readonly attempts: ReadonlyArray<Attempt>
  /** Milliseconds between them. */
  readonly waits?: number
}

export interface Attempt {
  readonly to: Visit | string
  /** Milliseconds on the way, there and back; where nobody answers, until that is noticed. */
  readonly way: number
}

export const call = (to: Visit | string, way = 2): Call => ({ attempts: [{ to, way }] })

type Open = { -readonly [K in keyof Story.Part]: Story.Part[K] }

let made = 0

/** The parts of one request. */
export const record = (requestId: string, startedAt: number, visit: Visit): ReadonlyArray<Story.Part> => {
  const parts: Array<Story.Part> = []
  const run = (
    at: number,
    { ahead = 0, answers = 0, by, does, route, service, stages = {}, status = 200 }: Visit
  ): Open => {
    let now = 0
    const entries: Array<Story.Part["stages"][number]> = []
    const steps: Array<Story.Step> = []
    const stage = (name: Stage.StageName, millis: number): void => {
      if (millis > 0) {
        entries.push({ stage: name, name: `${service}/${name}`, startMillis: now, durationMillis: millis })
      }
      now += millis
    }
    for (const [name, millis] of Object.entries(stages)) stage(name as Stage.StageName, millis)
    const begun = now
    const send = (start: number, { attempts, waits = 0 }: Call): number => {
      let millis = start
      const mine: Array<Story.Step> = []
      const target = attempts[0]?.to ?? ""
      const routeOf = (to: Visit | string): string => typeof to === "string" ? `/${to}` : to.route
      const name = `POST ${routeOf(target)}`
      const about = (to: Visit | string, attempt: number | null) => ({
        method: "POST",
        endpoint: `http://${typeof to === "string" ? to : to.service}:8080`,
        route: routeOf(to),
        attempt
      })
      for (const [index, { to, way }] of attempts.entries()) {
        if (index > 0) millis += waits
        const before = millis
        const part = typeof to === "string" ? undefined : run(at + millis + way / 2, to)
        millis += way + (part?.durationMillis ?? 0)
        const answer = part?.request?.status
        mine.push({
          kind: "attempt",
          name,
          outcome: `${answer ?? "no answer"}`,
          failed: (answer ?? 500) >= 500,
          startMillis: before,
          durationMillis: millis - before,
          call: about(to, index + 1)
        })
      }
      const last = mine.at(-1)
      steps.push({
        kind: "call",
        name,
        outcome: last?.outcome ?? "",
        failed: last?.failed ?? false,
        startMillis: start,
        durationMillis: millis - start,
        call: about(target, null)
      }, ...mine)
      return millis
    }
    for (const one of does) {
      if (typeof one === "number") now += one
      else if ("attempts" in one) now = send(now, one)
      else now = Math.max(...one.map((each) => send(now, each)))
    }
    if (now > begun) {
      entries.push({ stage: "Handler", name: `${service}/Handler`, startMillis: begun, durationMillis: now - begun })
    }
    stage("Response", answers)
    const part: Open = {
      id: `${service}-${++made}`,
      service,
      requestId,
      startedAt: at + ahead,
      durationMillis: now,
      request: {
        method: "POST",
        route,
        status,
        outcome: status < 500 ? "ok" : "failed",
        stage: by ?? null,
        userId: "u"
      },
      stages: entries,
      steps: steps.toSorted((a, b) => a.startMillis - b.startMillis || b.durationMillis - a.durationMillis),
      dropped: 0
    }
    parts.push(part)
    return part
  }
  run(startedAt, visit)
  return parts
}

/** What is different from a calm day, in milliseconds. */
export interface Weather {
  /** Users waits for a connection to its database. */
  readonly pool?: number
  /** Payments looks up tokens. */
  readonly tokens?: number
  /** The way to payments. */
  readonly way?: number
  /** Orders itself. */
  readonly own?: number
  /** The stock, which is asked beside payments. */
  readonly stock?: number
  readonly clocks?: number
}

/** So many orders, one every 20 s. The bank needs its 300 ms on any day. */
export const orders = (
  count: number,
  { clocks = 0, own = 0, pool = 0, stock = 0, tokens = 0, way = 2 }: Weather = {}
) =>
  Array.from({ length: count }, (_, n) => {
    const unrest = 1 + 0.2 * Math.sin(n * 1.7)
    const users = (route: string): Visit => ({
      service: "users",
      route,
      stages: { Middleware: 1, Security: 2, Dependencies: pool * unrest },
      does: [6 * unrest],
      ahead: -2 * clocks
    })
    const payments: Visit = {
      service: "payments",
      route: "/payments",
      stages: { Middleware: 1, Security: 3 + tokens * unrest },
      does: [4, call(users("/users/:id/limit")), 300 * unrest],
      ahead: clocks
    }
    return record(`r-${n}`, 1_795_000_000_000 + n * 20_000, {
      service: "orders",
      route: "/orders",
      stages: { Middleware: 1, Security: 2, Validation: 1 },
      does: [
        5 + own * unrest,
        call(users("/users/:id")),
        3,
        [call(payments, way), call({ service: "stock", route: "/stock", does: [40 * unrest + stock * unrest] })],
        7
      ],
      answers: 1
    })
  }).flat()

/** All parts of thirty orders of a calm day, as the services have them. */
export const calm: ReadonlyArray<Story.Part> = orders(30).sort((a, b) => a.service.localeCompare(b.service))

/** All parts of twelve orders in the hour in which the letters came: "orders takes seconds". */
export const letters: ReadonlyArray<Story.Part> = orders(12, { pool: 700 }).sort((a, b) =>
  a.service.localeCompare(b.service)
)
