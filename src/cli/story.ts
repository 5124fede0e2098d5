/** `lifecycle story ID`: what one request did, over all services that know of it. */
import { Config, Console, Effect, Runtime, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Story from "../lifecycle/Story.ts"

/** Where `lifecycle serve` puts the services when nothing else is said. */
const usual = Config.map(
  Config.withDefault(Config.Int("PORT"), 4100),
  (port) => [port, port + 1, port + 2].map((port) => `http://127.0.0.1:${port}`)
)

/**
 * The story could not be told.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoStory extends Schema.TaggedError<NoStory>()("NoStory", { sentence: Schema.String }) {
  override get message(): string {
    return this.sentence
  }
}

/**
 * It was asked in a way that cannot be answered.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoryAsked extends Schema.TaggedError<StoryAsked>()("StoryAsked", { sentence: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return this.sentence
  }
}

/** What one address said, and which of the processes behind it did not answer. */
type Answer =
  | {
    readonly _tag: "Known"
    readonly url: string
    readonly parts: ReadonlyArray<Story.Part>
    readonly away: ReadonlyArray<string>
  }
  | { readonly _tag: "Unknown"; readonly url: string; readonly away: ReadonlyArray<string> }
  | { readonly _tag: "Silent"; readonly url: string; readonly why: string }

const away = Schema.optionalKey(Schema.Array(Schema.String))
const Told = Schema.Struct({ parts: Schema.Array(Story.Part), away })
const Nothing = Schema.Struct({ type: Schema.Literal("urn:problem:story-unknown"), away })

const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") {
    return /CERT|SIGNED|SIGNATURE|ALTNAME/.test(cause.code)
      ? `has a certificate that nobody here trusts (${cause.code}): name its authority's file in NODE_EXTRA_CA_CERTS`
      : `does not answer (${cause.code})`
  }
  return cause instanceof Error && cause.name === "TimeoutError" ? "does not answer in time" : "does not answer"
}

const refusalOf = (status: number): string => {
  switch (status) {
    case 401:
      return "does not know the token (401): set LIFECYCLE_TOKEN to one that it knows"
    case 403:
      return "does not tell it to you (403): use a token that may see it, on the same machine"
    case 429:
      return "has been asked too often (429): try again in a while"
    case 502:
    case 503:
    case 504:
      return `is there, but nobody behind it answers (${status})`
    default:
      return `answered ${status} and tells no stories: mount LifecyclePage there`
  }
}

const ask = (url: string, id: string, token: string): Effect.Effect<Answer> =>
  Effect.promise(async (signal): Promise<Answer> => {
    try {
      // With the other processes behind the same address: whichever of them is met, any may have served the request.
      const response = await fetch(new URL(`/lifecycle/story?id=${id}&scope=service`, url), {
        headers: { authorization: `Bearer ${token}`, accept: "application/json" },
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(5000)])
      })
      const { status } = response
      const body: unknown = await response.json().catch(() => undefined)
      if (status === 200 && Schema.is(Told)(body)) {
        return { _tag: "Known", url, parts: body.parts, away: body.away ?? [] }
      }
      if (status === 404 && Schema.is(Nothing)(body)) return { _tag: "Unknown", url, away: body.away ?? [] }
      return { _tag: "Silent", url, why: refusalOf(status) }
    } catch (error) {
      return { _tag: "Silent", url, why: reasonOf(error) }
    }
  })

const urls = (given: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, StoryAsked> =>
  Effect.forEach(given, (url) => {
    const { password = "", protocol = "", username = "" } = URL.parse(url) ?? {}
    if (username !== "" || password !== "") {
      const sentence = "An address of --url holds a name or a password: leave them out, and set LIFECYCLE_TOKEN."
      return Effect.fail(new StoryAsked({ sentence }))
    }
    return /^https?:$/.test(protocol)
      ? Effect.succeed(url)
      : Effect.fail(new StoryAsked({ sentence: `"${url}" is no address: write it as http://127.0.0.1:4100.` }))
  })

/** `LIFECYCLE_TOKENS` holds `token:user` entries, as the example services read it. */
const tokenOf = Config.String("LIFECYCLE_TOKEN").pipe(
  Config.orElse(() =>
    Config.map(
      Config.withDefault(Config.String("LIFECYCLE_TOKENS"), "token123:alice"),
      (tokens) => tokens.split(/[:,]/, 1)[0]?.trim() ?? ""
    )
  )
)

/**
 * Ends with the exit code 1 when nobody knows the request, and with 2 when it was asked in a way that cannot be answered.
 *
 * @category commands
 * @since 0.1.0
 */
export const story = Command.make(
  "story",
  {
    id: Argument.String("id").pipe(Argument.withDescription("the request id, as X-Request-ID has it")),
    url: Flag.String("url").pipe(
      Flag.atLeast(0),
      Flag.withDescription(
        "a service to ask, with all processes behind its address; may be given several times " +
          "(127.0.0.1 on PORT, or 4100, and the next two when absent)"
      )
    ),
    plain: Flag.Boolean("plain").pipe(
      Flag.withDefault(false),
      Flag.withDescription("no colours and 100 columns, whatever the terminal can do")
    ),
    json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the story as one JSON line"))
  },
  Effect.fn("cli.story")(function*({ id, json, plain, url }) {
    if (!/^[A-Za-z0-9._-]{1,128}$/.test(id)) {
      return yield* new StoryAsked({
        sentence: "A request id is 1 to 128 letters, digits, dots, underscores and dashes: copy it from X-Request-ID."
      })
    }
    const token = yield* tokenOf
    const answers = yield* Effect.forEach(
      yield* urls(url.length > 0 ? url : yield* usual),
      (url) => ask(url, id, token),
      { concurrency: "unbounded" }
    )
    const silent = answers.flatMap((answer) => answer._tag === "Silent" ? [answer] : [])
    const missing = [
      ...silent,
      ...answers.flatMap((answer) =>
        answer._tag === "Silent"
          ? []
          : answer.away.map((name) => ({ url: answer.url, why: `answered, but ${name} behind it did not` }))
      )
    ]
    const notes = missing.map(({ url, why }) => `${url} ${why}.`)
    const joined = Story.join(answers.flatMap((answer) => answer._tag === "Known" ? answer.parts : []))
    if (silent.length === answers.length) {
      const advice = url.length === 0 ? " Start the services with `npx lifecycle serve`, or name yours with --url." : ""
      return yield* new NoStory({ sentence: `${notes.join("\n")}\nNo service could be asked.${advice}` })
    }
    if (joined.parts.length === 0) {
      return yield* new NoStory({
        sentence: [
          ...notes,
          `No service knows the request "${id}": the id is wrong, or it was too long ago.`
        ].join("\n")
      })
    }
    if (json) {
      return yield* Console.log(JSON.stringify({
        requestId: id,
        durationMillis: joined.durationMillis,
        services: Story.services(joined),
        parts: joined.parts,
        away: missing.map(({ url, why }) => ({ url, why }))
      }))
    }
    const services = Story.services(joined)
    yield* Console.log(`Request ${id}: ${services.join(", ")}, ${joined.durationMillis.toFixed(1)} ms`)
    yield* Console.log(Story.render(joined, {
      width: plain ? 100 : process.stdout.columns ?? 100,
      color: !plain && process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === ""
    }))
    for (const note of notes) yield* Console.error(`${note} Its part is missing.`)
  })
).pipe(Command.withDescription("Tell what one request did, over all services, in order"))
