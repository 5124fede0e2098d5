/** The files of the page, and the headers they are sent with. */
import { Effect, FileSystem, Path } from "effect"
import { HttpServerResponse } from "effect/http"

/** Both `src/server/internal` and `dist/server/internal` lie three folders below the package. */
const folder = new URL("../../../src/server/page/", import.meta.url)

const headers = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
}

/** What the page loads, by the names the files have: nothing is built. `page.mjs` imports the others. */
export const names = [
  "page.css",
  "page.mjs",
  "cards.mjs",
  "dom.mjs",
  "requests.mjs",
  "services.mjs",
  "standing.mjs",
  "story.mjs",
  "stream.mjs"
] as const

const typeOf = (name: string): string =>
  name.endsWith(".css") ? "text/css" : name.endsWith(".mjs") ? "text/javascript" : "text/html"

export const load = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const read = (name: string) =>
    Effect.map(
      Effect.flatMap(path.fromFileUrl(new URL(name, folder)), (file) => files.readFile(file)),
      (body) => HttpServerResponse.uint8Array(body, { contentType: `${typeOf(name)}; charset=utf-8`, headers })
    )
  return {
    page: yield* read("page.html"),
    beside: yield* Effect.forEach(names, (name) => Effect.map(read(name), (answer) => ({ name, answer })))
  }
}).pipe(Effect.orDie)
