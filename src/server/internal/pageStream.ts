/** What a page is told while it is open. */
import { Effect, Schedule, Schema, Stream } from "effect"
import * as Standing from "../../lifecycle/Standing.ts"
import * as Story from "../../lifecycle/Story.ts"
import type { Drain } from "../Health.ts"

/** One message, as the stream of events carries it. */
export type Message =
  /** Whom the page will hear of. */
  | { readonly event: "hello"; readonly data: { readonly service: string; readonly neighbours: ReadonlyArray<string> } }
  /** A request has ended. */
  | { readonly event: "part"; readonly data: Story.Part }
  | { readonly event: "standing"; readonly data: Standing.Standing }
  /** A neighbour does not answer. */
  | { readonly event: "away"; readonly data: { readonly service: string; readonly reason: string } }
  /** Nothing new: the connection is alive. */
  | { readonly event: "beat"; readonly data: null }

/** How often a page hears how the guards stand, where something has changed. */
const interval = "1 second"

/** How many requests a page begins with. */
const recent = 100

export const own = (options: {
  readonly source: {
    readonly service: string
    readonly recent: (limit?: number) => Effect.Effect<ReadonlyArray<Story.Part>>
    readonly changes: Stream.Stream<Story.Part>
  }
  readonly standing: Effect.Effect<Standing.Standing>
  readonly names: ReadonlyArray<string>
  readonly drain: Drain
}): Stream.Stream<Message> => {
  const { drain, names, source, standing } = options
  const part = (data: Story.Part): Message => ({ event: "part", data })
  const hello: Message = { event: "hello", data: { service: source.service, neighbours: names } }
  const before = Stream.fromIterableEffect(Effect.map(source.recent(recent), (parts) => parts.toReversed().map(part)))
  const stands = Stream.suspend(() => {
    let told = ""
    return Stream.fromEffect(standing).pipe(
      Stream.repeat(Schedule.spaced(interval)),
      Stream.takeUntil(() => drain.draining),
      Stream.map((data): Message => {
        const text = JSON.stringify(data)
        if (text === told) return { event: "beat", data: null }
        told = text
        return { event: "standing", data }
      })
    )
  })
  // What ends while the first are read is told twice, and has the same id both times.
  const parts = Stream.merge(before, Stream.map(source.changes, part))
  return Stream.concat(Stream.succeed(hello), Stream.merge(stands, parts, { haltStrategy: "left" }))
}

/** All of them, for as long as the first goes on. */
export const join = (
  first: Stream.Stream<Message>,
  others: ReadonlyArray<Stream.Stream<Message>>
): Stream.Stream<Message> =>
  others.length === 0
    ? first
    : Stream.merge(first, Stream.mergeAll(others, { concurrency: "unbounded" }), { haltStrategy: "left" })

/** JSON breaks no line. */
export const encode = (messages: Stream.Stream<Message>): Stream.Stream<Uint8Array> =>
  messages.pipe(
    Stream.map(({ data, event }) => event === "beat" ? ":\n\n" : `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    Stream.encodeText
  )

const partOf = Schema.decodeUnknownEffect(Schema.fromJsonString(Story.Part))
const standingOf = Schema.decodeUnknownEffect(Schema.fromJsonString(Standing.Standing))

/** What of a neighbour's stream is passed on: nothing that it should not have sent. */
export const decode = (event: { readonly event: string; readonly data: string }) =>
  event.event === "part"
    ? Effect.map(partOf(event.data), (data): ReadonlyArray<Message> => [{ event: "part", data }])
    : event.event === "standing"
    ? Effect.map(standingOf(event.data), (data): ReadonlyArray<Message> => [{ event: "standing", data }])
    : Effect.succeed([])
