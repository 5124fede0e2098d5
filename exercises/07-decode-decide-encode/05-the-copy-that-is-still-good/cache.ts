/**
 * A shared cache, as it stands in front of many services. It knows nothing of prices: it believes what answers say
 * about themselves. Given; there is nothing to change here.
 *
 * - An answer is kept for all who send the same in the headers that its `Vary` names.
 * - `Cache-Control: no-cache` means: ask each time whether the copy is still good. `no-store`: keep nothing.
 *   `max-age=60`: for a minute do not even ask.
 * - To ask is to send the ETags of all copies of that path in `If-None-Match` (RFC 9111, 4.3.1), since the server may
 *   choose any of them. 304 says with its ETag which copy is meant, and that copy is handed out.
 */
import { Clock, Effect } from "effect"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
}

/** A request for a path. */
export type Get<A extends Answer> = (path: string, headers: Readonly<Record<string, string>>) => Effect.Effect<A>

interface Copy<A> {
  readonly path: string
  readonly asked: Readonly<Record<string, string>>
  readonly answer: A
  readonly goodUntil: number
}

const goodFor = (control: string): number => {
  const seconds = /(?:^|[\s,])max-age=(\d+)/.exec(control)?.[1]
  return /no-cache/.test(control) || seconds === undefined ? 0 : Number(seconds) * 1000
}

const fits = ({ answer, asked }: Copy<Answer>, headers: Readonly<Record<string, string>>): boolean =>
  (answer.headers["vary"] ?? "").toLowerCase().split(/\s*,\s*/).filter(Boolean)
    .every((name) => name !== "*" && asked[name] === headers[name])

/** Stands in front of `origin`. */
export const make = <A extends Answer>(origin: Get<A>): Get<A> => {
  const copies: Array<Copy<A>> = []
  return (path, headers) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const here = copies.filter((copy) => copy.path === path)
      const good = here.find((copy) => fits(copy, headers) && now < copy.goodUntil)
      if (good !== undefined) return good.answer
      const tags = here.flatMap(({ answer }) => answer.headers["etag"] ?? [])
      const answer = yield* origin(
        path,
        tags.length === 0 ? headers : { ...headers, "if-none-match": [...new Set(tags)].join(", ") }
      )
      if (answer.status === 304) {
        const meant = here.findLast((copy) => copy.answer.headers["etag"] === answer.headers["etag"])
        if (meant !== undefined) return meant.answer
      }
      const control = answer.headers["cache-control"] ?? ""
      if (answer.status === 200 && !/no-store/.test(control)) {
        const goodUntil = now + goodFor(control)
        const before = copies.findIndex((copy) => copy.path === path && fits(copy, headers))
        if (before >= 0) copies.splice(before, 1)
        copies.push({ path, asked: headers, answer, goodUntil })
      }
      return answer
    })
}
