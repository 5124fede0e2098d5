/**
 * The tour with one route broken on purpose: what stands before the users service makes every `If-Match` match, so that a
 * change of an old version overwrites a newer one.
 */
import { Effect } from "effect"
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { run } from "../../lessons/service/tour/run.ts"

run({
  front: (addresses) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((asked, answer) => {
            const headers = { ...asked.headers }
            if (headers["if-match"] !== undefined) headers["if-match"] = "*"
            const forwarded = request(addresses.users + asked.url, { method: asked.method, headers }, (received) => {
              answer.writeHead(received.statusCode ?? 502, received.headers)
              received.pipe(answer)
            })
            forwarded.on("error", () => answer.destroy())
            asked.pipe(forwarded)
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      ),
      (server) => ({ ...addresses, users: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    )
})
