/** `lifecycle story ID`: what one request did, over all services that know of it. */
import { Config, Console, Effect, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Story from "../lifecycle/Story.ts"

/** Where `lifecycle serve` puts the services when nothing else is said. */
const ports = [4100, 4101, 4102]

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

/** What one service said. */
type Answer =
  | { readonly _tag: "Known"; readonly url: string; readonly parts: ReadonlyArray<Story.Part> }
  | { readonly _tag: "Unknown"; readonly url: string }
  | { readonly _tag: "Silent"; readonly url: string; readonly why: string }

const Own = Schema.Struct({ parts: Schema.Array(Story.Part) })
const Problem = Schema.Struct({ type: Schema.String })

const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") {
    return `does not answer (${cause.code})`
  }
  return cause instanceof Error && cause.name === "TimeoutError" ? "does not answer in time" : "does not answer"
}

const ask = (url: string, id: string, token: string): Effect.Effect<Answer> =>
  Effect.promise(async (signal): Promise<Answer> => {
    try {
      const response = await fetch(new URL(`/lifecycle/story?id=${id}&scope=own`, url), {
        headers: { authorization: `Bearer ${token}`, accept: "application/json" },
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(5000)])
      })
      const body: unknown = await response.json().catch(() => undefined)
      if (response.status === 200 && Schema.is(Own)(body)) return { _tag: "Known", url, parts: body.parts }
      if (response.status === 404 && Schema.is(Problem)(body) && body.type === "urn:problem:story-unknown") {
        return { _tag: "Unknown", url }
      }
      return {
        _tag: "Silent",
        url,
        why: response.status === 401
          ? "does not know the token (401): set LIFECYCLE_TOKEN to one that it knows"
          : response.status === 403
          ? "does not tell it to you (403): use a token that may see it, on the same machine"
          : `answered ${response.status} and tells no stories: mount LifecyclePage there`
      }
    } catch (error) {
      return { _tag: "Silent", url, why: reasonOf(error) }
    }
  })

const urls = (given: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, NoStory> =>
  Effect.forEach(
    given.length > 0 ? given : ports.map((port) => `http://127.0.0.1:${port}`),
    (url) =>
      /^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : "")
        ? Effect.succeed(url)
        : Effect.fail(new NoStory({ sentence: `"${url}" is no address: write it as http://127.0.0.1:4100.` }))
  )

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
 * Ends with the exit code 1 when nobody knows the request.
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
      Flag.withDescription("a service to ask; may be given several times (127.0.0.1 on 4100, 4101, 4102 when absent)")
    ),
    plain: Flag.Boolean("plain").pipe(
      Flag.withDefault(false),
      Flag.withDescription("no colours and 100 columns, whatever the terminal can do")
    ),
    json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the story as one JSON line"))
  },
  Effect.fn("cli.story")(function*({ id, json, plain, url }) {
    if (!/^[A-Za-z0-9._-]{1,128}$/.test(id)) {
      return yield* new NoStory({
        sentence: "A request id is 1 to 128 letters, digits, dots, underscores and dashes: copy it from X-Request-ID."
      })
    }
    const token = yield* tokenOf
    const answers = yield* Effect.forEach(yield* urls(url), (url) => ask(url, id, token), { concurrency: "unbounded" })
    const silent = answers.flatMap((answer) => answer._tag === "Silent" ? [answer] : [])
    const notes = silent.map(({ url, why }) => `${url} ${why}.`)
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
        away: silent.map(({ url, why }) => ({ url, why }))
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
