// fails: b - keeps one time for a place that comes twice
import { type Stage, Story } from "effect-lifecycle/lifecycle"
import { sentBy } from "../recordings.ts"

export type Place = `${string}: ${Stage.StageName}` | `${string} to ${string}`

export interface Spent {
  readonly place: Place
  readonly millis: number
}

const told = (parts: ReadonlyArray<Story.Part>) => {
  const { parts: placed } = Story.join(parts)
  return {
    customers: placed.find(({ depth }) => depth === 0)?.part,
    answerOf: (part: Story.Part, step: number): Story.Part | undefined =>
      placed.find(({ cause }) => cause?.partId === part.id && cause.service === part.service && cause.step === step)
        ?.part
  }
}

export const spentBy = (parts: ReadonlyArray<Story.Part>): ReadonlyArray<Spent> => {
  const { answerOf, customers } = told(parts)
  const spent = new Map<Place, number>()
  const add = (place: Place, millis: number): void => {
    if (millis > 0) spent.set(place, millis)
  }

  const own = ({ service, stages }: Story.Part, from: number, to: number): void => {
    for (const { durationMillis, stage, startMillis } of stages) {
      add(`${service}: ${stage}`, Math.min(to, startMillis + durationMillis) - Math.max(from, startMillis))
    }
  }

  const walk = (part: Story.Part): void => {
    let at = part.durationMillis
    for (const { endMillis, startMillis, step, to } of sentBy(part).toSorted((a, b) => b.endMillis - a.endMillis)) {
      if (endMillis > at) continue
      own(part, endMillis, at)
      const answer = answerOf(part, step)
      add(`${part.service} to ${to}`, endMillis - startMillis - (answer?.durationMillis ?? 0))
      if (answer !== undefined) walk(answer)
      at = startMillis
    }
    own(part, 0, at)
  }

  if (customers !== undefined) walk(customers)
  return Array.from(spent, ([place, millis]): Spent => ({ place, millis })).sort((a, b) => b.millis - a.millis)
}

export const failedFirst = (parts: ReadonlyArray<Story.Part>): Place | undefined => {
  const { answerOf, customers } = told(parts)
  if ((customers?.request?.status ?? 200) < 500) return undefined
  const follow = (part: Story.Part): Place => {
    const because = sentBy(part).findLast(({ callFailed, failed }) => failed && callFailed)
    if (because === undefined) return `${part.service}: ${part.request?.stage ?? "Handler"}`
    const answer = answerOf(part, because.step)
    return answer === undefined ? `${part.service} to ${because.to}` : follow(answer)
  }
  return customers && follow(customers)
}

const averages = (parts: ReadonlyArray<Story.Part>): Map<Place, number> => {
  const requests = Array.from(Map.groupBy(parts, ({ requestId }) => requestId).values())
  const averages = new Map<Place, number>()
  for (const { millis, place } of requests.flatMap(spentBy)) {
    averages.set(place, (averages.get(place) ?? 0) + millis / requests.length)
  }
  return averages
}

export const different = (
  incident: ReadonlyArray<Story.Part>,
  calm: ReadonlyArray<Story.Part>
): Spent | undefined => {
  const before = averages(calm)
  const more = Array.from(averages(incident), ([place, millis]): Spent => ({
    place,
    millis: millis - (before.get(place) ?? 0)
  }))
  return more.filter(({ millis }) => millis >= 50).sort((a, b) => b.millis - a.millis)[0]
}
