/**
 * 03.5 Do as you are told
 *
 * Payments is overloaded and says so: `503`, with `Retry-After: 7`. Whoever comes back after 100 ms, because that is what a
 * schedule says, is refused again and makes it worse. Whoever waits exactly seven seconds comes back together with
 * everybody else who was told the same. And whoever has only two seconds left need not wait at all.
 *
 * Do
 * 1. `asked(value, nowMillis)`: the wait in milliseconds that a `Retry-After` asks for. It is a whole number of seconds or an
 *    HTTP date (`Wed, 21 Oct 2015 07:28:07 GMT`; `Date.parse` reads it). A date that is over asks for nothing: 0. What
 *    cannot be read asks for nothing either: `undefined`.
 * 2. `obey(send)`: up to four attempts. 429 and 503 are worth repeating, every other answer is final, whatever its headers
 *    say. The own waits are 100, 200 and 400 ms. Where the answer asks for more, wait for that, and up to a fifth longer
 *    (`Random.next`), never shorter. Time and date are those of the `Clock`.
 * 3. `Deadline.remaining` says how much time is left. A wait that is longer than that is not begun: fail at once with
 *    `GaveUp` and `"no time"`. A wait of more than 30 seconds is not begun either: `"too long"`. After the fourth refusal:
 *    `"attempts"`. The last answer comes along.
 * 4. `obeyWithLibrary(client)`: a function that sends a GET to `/payments` with `RequestStrategy.sequential` and
 *    `Verdict.http`, which do all of that. Up to four attempts, the same waits, no jitter of its own.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/03-retries/05-do-as-you-are-told/exercise.ts`.
 */
import { Data, Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { FakeUpstream } from "effect-lifecycle/testing"
import type { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"

export interface Answer {
  readonly status: number
  /** The header `Retry-After`. */
  readonly retryAfter?: string
}

/** No further attempt is made. */
export class GaveUp extends Data.TaggedError("GaveUp")<{
  readonly reason: "attempts" | "no time" | "too long"
  readonly last: Answer
}> {}

/** The wait in milliseconds that a `Retry-After` asks for. */
export const asked = (_value: string, _nowMillis: number): number | undefined => undefined

/** Sends until the answer is final, and waits as it is told. */
export const obey = (send: Effect.Effect<Answer>): Effect.Effect<Answer, GaveUp> => send

/** The same with the library. */
export const obeyWithLibrary = (
  client: HttpClient.HttpClient
): Effect.Effect<
  HttpClientResponse.HttpClientResponse,
  HttpClientError.HttpClientError | Deadline.DeadlineExceeded
> => client.get("http://payments.internal/payments")

if (import.meta.main) {
  const start = Date.now()
  const answers: Array<Answer> = [{ status: 503, retryAfter: "1" }, { status: 503 }, { status: 200 }]
  const send = Effect.sync((): Answer => {
    const answer = answers.shift() ?? { status: 200 }
    console.log(`${Date.now() - start} ms: ${answer.status} ${answer.retryAfter ?? ""}`)
    return answer
  })
  const program = obey(send).pipe(
    Deadline.within("5 seconds"),
    Effect.map((answer) => `final: ${answer.status}`),
    Effect.catch((error) => Effect.succeed(`failed: ${error._tag}`))
  )
  console.log(await Effect.runPromise(program))

  const withLibrary = Effect.gen(function*() {
    const told = FakeUpstream.respond({ status: 503, headers: { "retry-after": "1" } })
    const { client, requests } = yield* FakeUpstream.client([told, FakeUpstream.respond()])
    const { status } = yield* obeyWithLibrary(client)
    return `with the library: ${status} after ${(yield* requests).length} requests`
  })
  console.log(await Effect.runPromise(withLibrary))
}
