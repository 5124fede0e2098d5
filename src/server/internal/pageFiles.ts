/** The three files of the page, and the headers they are sent with. */
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

export const load = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const read = (name: string, contentType: string) =>
    Effect.map(
      Effect.flatMap(path.fromFileUrl(new URL(name, folder)), (file) => files.readFile(file)),
      (body) => HttpServerResponse.uint8Array(body, { contentType, headers })
    )
  return yield* Effect.all({
    html: read("page.html", "text/html; charset=utf-8"),
    css: read("page.css", "text/css; charset=utf-8"),
    script: read("page.mjs", "text/javascript; charset=utf-8")
  })
}).pipe(Effect.orDie)
