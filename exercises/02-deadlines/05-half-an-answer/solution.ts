import { Data, Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"

export class Unavailable extends Data.TaggedError("Unavailable")<{}> {}

export interface Source {
  readonly name: string
  readonly ask: Effect.Effect<string, Unavailable>
}

export interface Missing {
  readonly name: string
  readonly reason: "late" | "failed"
}

export interface Page {
  readonly arrived: ReadonlyArray<{ readonly name: string; readonly value: string }>
  readonly missing: ReadonlyArray<Missing>
}

export class NothingArrived extends Data.TaggedError("NothingArrived")<{
  readonly missing: ReadonlyArray<Missing>
}> {}

type Box = { readonly name: string; readonly value: string } | Missing

const assemble = (boxes: ReadonlyArray<Box>): Effect.Effect<Page, NothingArrived> => {
  const arrived = boxes.filter((box) => "value" in box)
  const missing = boxes.filter((box) => "reason" in box)
  return arrived.length === 0 ? Effect.fail(new NothingArrived({ missing })) : Effect.succeed({ arrived, missing })
}

const answer = ({ ask, name }: Source): Effect.Effect<Box> =>
  ask.pipe(
    Effect.map((value): Box => ({ name, value })),
    Effect.catch(() => Effect.succeed<Box>({ name, reason: "failed" }))
  )

const late = ({ name }: Source): Effect.Effect<Box> => Effect.succeed({ name, reason: "late" })

export const gather = (
  sources: ReadonlyArray<Source>,
  budgetMillis?: number
): Effect.Effect<Page, NothingArrived> =>
  Effect.forEach(
    sources,
    (source) =>
      budgetMillis === undefined
        ? answer(source)
        : Effect.timeoutOrElse(answer(source), { duration: budgetMillis, orElse: () => late(source) }),
    { concurrency: "unbounded" }
  ).pipe(Effect.flatMap(assemble))

export const gatherForRequest = (sources: ReadonlyArray<Source>): Effect.Effect<Page, NothingArrived> =>
  Effect.forEach(
    sources,
    (source) =>
      answer(source).pipe(Deadline.reserve("50 millis"), Effect.catchTag("DeadlineExceeded", () => late(source))),
    { concurrency: "unbounded" }
  ).pipe(Effect.flatMap(assemble))
