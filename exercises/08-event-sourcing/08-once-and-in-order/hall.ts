/** What is asked of us, what the hall does with it, and the way there. Given; there is nothing to change here. */
import { Data, Effect, Option, Schedule, Schema } from "effect"
import { type Outbox, StateStore, type UnitOfWork } from "effect-lifecycle/store"

/** Somebody else was faster; nothing was stored. */
export class Conflict extends Data.TaggedError("Conflict")<{ readonly expected: number; readonly actual: number }> {}

/** The hall has no room for so many. */
export class Full extends Data.TaggedError("Full")<{ readonly show: string }> {}

/** No answer from the hall: it has the message, or it has it not. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{}> {}

/** What is asked, and the payload of the message about it. */
export interface Request {
  readonly show: string
  readonly customer: string
  readonly seats: number
  /** The version of the show's stream that the customer has decided on. */
  readonly seen: number
}

/** Somebody at the hall who has to hear of reservations: each does something else with them. */
export interface Desk {
  readonly name: string
  readonly handle: (request: Request) => Effect.Effect<void, Full | UnitOfWork.StoreUnavailable, StateStore.StateStore>
}

/** The way to the hall, which ends when the hall has answered. */
export type Deliver = (message: Outbox.Message) => Effect.Effect<void, Full | NoAnswer>

/** Where our messages go. */
export const topic = "reservations"

/** How often a message is tried, and when again. */
export const patience = { attempts: 3, retry: Schedule.spaced("1 second") }

/** What a desk has counted: a row for each show. */
export const counted = (desk: string) =>
  StateStore.collection({ name: `counted_${desk}`, schema: Schema.Struct({ seats: Schema.Int }) })

/** A desk that counts seats. It takes a moment to look at the plan of the hall, which has 100 of them. */
export const counting = (name: string): Desk => ({
  name,
  handle: ({ seats, show }) =>
    Effect.gen(function*() {
      const states = yield* StateStore.StateStore
      const row = Option.getOrElse(yield* states.get(counted(name), show), () => ({ version: 0, state: { seats: 0 } }))
      yield* Effect.sleep("10 millis")
      if (row.state.seats + seats > 100) return yield* new Full({ show })
      yield* states.put(counted(name), {
        id: show,
        version: row.version + 1,
        state: { seats: row.state.seats + seats }
      })
    })
})
