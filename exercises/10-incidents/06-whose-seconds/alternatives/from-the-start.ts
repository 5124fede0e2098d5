// Goes from the start to the end: first the chain of what was waited for, then what lies between its links.
import { type Stage, Story } from "effect-lifecycle/lifecycle"
import { type Sent, sentBy } from "../recordings.ts"

export type Place = `${string}: ${Stage.StageName}` | `${string} to ${string}`

export interface Spent {
  readonly place: Place
  readonly millis: number
}

/** The last of what ended by then, and before it those that ended before it began. */
const chain = (sent: ReadonlyArray<Sent>, by: number): ReadonlyArray<Sent> => {
  const ended = sent.filter(({ endMillis }) => endMillis <= by)
  if (ended.length === 0) return []
  const last = ended.reduce((a, b) => b.endMillis > a.endMillis ? b : a)
  return [...chain(sent.filter((one) => one !== last), last.startMillis), last]
}

interface Answered {
  readonly part: Story.Part
  readonly sent: ReadonlyArray<Sent & { readonly answer: Answered | undefined }>
}

const tree = (parts: ReadonlyArray<Story.Part>): Answered | undefined => {
  const { parts: placed } = Story.join(parts)
  const build = (part: Story.Part): Answered => ({
    part,
    sent: sentBy(part).map((one) => {
      const answer = placed.find(({ cause }) => cause?.partId === part.id && cause.step === one.step)
      return { ...one, answer: answer && build(answer.part) }
    })
  })
  const root = placed.find(({ cause }) => cause === undefined)
  return root && build(root.part)
}

const listOf = ({ part, sent }: Answered): ReadonlyArray<Spent> => {
  const links = chain(sent, part.durationMillis)
  const found: Array<Spent> = []
  for (const { durationMillis, stage, startMillis } of part.stages) {
    const end = startMillis + durationMillis
    const waited = links.reduce(
      (sum, one) => sum + Math.max(0, Math.min(end, one.endMillis) - Math.max(startMillis, one.startMillis)),
      0
    )
    found.push({ place: `${part.service}: ${stage}`, millis: durationMillis - waited })
  }
  for (const { endMillis, startMillis, step, to } of links) {
    const answer = sent.find((one) => one.step === step)?.answer
    found.push({
      place: `${part.service} to ${to}`,
      millis: endMillis - startMillis - (answer?.part.durationMillis ?? 0)
    })
    if (answer !== undefined) found.push(...listOf(answer))
  }
  return found
}

const summed = (all: ReadonlyArray<Spent>): Array<Spent> =>
  Array.from(Map.groupBy(all, ({ place }) => place), ([place, some]): Spent => ({
    place,
    millis: some.reduce((sum, { millis }) => sum + millis, 0)
  })).filter(({ millis }) => millis > 0.000_001).sort((a, b) => b.millis - a.millis)

export const spentBy = (parts: ReadonlyArray<Story.Part>): ReadonlyArray<Spent> => {
  const root = tree(parts)
  return root === undefined ? [] : summed(listOf(root))
}

export const failedFirst = (parts: ReadonlyArray<Story.Part>): Place | undefined => {
  let at = tree(parts)
  if (at === undefined || (at.part.request?.status ?? 0) < 500) return undefined
  while (true) {
    const because: Answered["sent"][number] | undefined = at.sent.filter((one) => one.failed && one.callFailed).at(-1)
    if (because === undefined) return `${at.part.service}: ${at.part.request?.stage ?? "Handler"}`
    if (because.answer === undefined) return `${at.part.service} to ${because.to}`
    at = because.answer
  }
}

export const different = (
  incident: ReadonlyArray<Story.Part>,
  calm: ReadonlyArray<Story.Part>
): Spent | undefined => {
  const shares = (parts: ReadonlyArray<Story.Part>, sign: number): Array<Spent> => {
    const stories = [...Map.groupBy(parts, ({ requestId }) => requestId).values()]
    return stories.flatMap(spentBy).map(({ millis, place }) => ({ place, millis: sign * millis / stories.length }))
  }
  return summed([...shares(incident, 1), ...shares(calm, -1)]).find(({ millis }) => millis >= 49.999_999)
}
