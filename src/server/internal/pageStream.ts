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
  /** A neighbour, or a process beside one, does not answer. */
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

/** Another process of a service says that it is the service; what stands in it is told apart by its own name. */
export const named = (name: string) => (message: Message): Message =>
  message.event === "standing" ? { ...message, data: { ...message.data, service: name } } : message

const Away = Schema.Struct({ service: Schema.String, reason: Schema.String })
const awayOf = Schema.decodeUnknownEffect(Schema.fromJsonString(Away))
const partOf = Schema.decodeUnknownEffect(Schema.fromJsonString(Story.Part))
const standingOf = Schema.decodeUnknownEffect(Schema.fromJsonString(Standing.Standing))

const readers = {
  part: (text: string) => Effect.map(partOf(text), (data): Message => ({ event: "part", data })),
  standing: (text: string) => Effect.map(standingOf(text), (data): Message => ({ event: "standing", data })),
  away: (text: string) => Effect.map(awayOf(text), (data): Message => ({ event: "away", data }))
}

/** What of a neighbour's stream is passed on: nothing that it should not have sent. */
export const decode = ({ data, event }: { readonly event: string; readonly data: string }) =>
  event === "part" || event === "standing" || event === "away"
    ? Effect.map(readers[event](data), (message): ReadonlyArray<Message> => [message])
    : Effect.succeed([])
