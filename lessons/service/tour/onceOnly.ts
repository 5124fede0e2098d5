/** Requests that are repeated, or that come too late. */
import { Effect } from "effect"
import { ask, books, json, register, type Services } from "./services.ts"
import type { Scenario } from "./story.ts"

const shortened = (text: string) => text.length > 40 ? `${text.slice(0, 40)}...` : text

export const replay = {
  title: "POST /orders twice with one Idempotency-Key: one order",
  tell: (page) =>
    Effect.gen(function*() {
      const user = yield* register
      const send = ask("orders", "/orders", {
        method: "POST",
        headers: { "idempotency-key": "tour-replay" },
        body: books(user.id)
      })
      const first = yield* send
      const second = yield* send
      const found = yield* ask("orders", `/orders?userId=${user.id}`)
      for (const [name, answer] of [["first ", first], ["second", second]] as const) {
        const replayed = answer.headers["idempotency-replayed"]
        page.say(
          `   ${name}  ${answer.status} ${shortened(answer.body)}${
            replayed === undefined ? "" : `  Idempotency-Replayed: ${replayed}`
          }`
        )
      }
      const { orders } = json(found) as { readonly orders?: ReadonlyArray<unknown> }
      page.say(`   GET /orders?userId=... then finds ${orders?.length ?? "no"} order`)

      page.equal("the first status", first.status, 201)
      page.equal("Idempotency-Replayed of the first answer", first.headers["idempotency-replayed"], undefined)
      page.equal("the second status", second.status, 201)
      page.equal("Idempotency-Replayed of the second answer", second.headers["idempotency-replayed"], "true")
      page.equal("the second body", second.body, first.body)
      page.equal("Location and ETag of the second answer", [second.headers["location"], second.headers["etag"]], [
        first.headers["location"],
        first.headers["etag"]
      ])
      page.equal("the user's orders", json(found), { orders: [json(first)] })
    })
} satisfies Scenario<unknown, Services>

export const versionConflict = {
  title: "PATCH /users/{id} twice with If-Match: \"1\": the second has not seen the first",
  tell: (page) =>
    Effect.gen(function*() {
      const user = yield* register
      const rename = (name: string) =>
        ask("users", `/users/${user.id}`, { method: "PATCH", headers: { "if-match": "\"1\"" }, body: { name } })
      const first = yield* rename("Alice Liddell")
      const second = yield* rename("Alice Pleasance")
      const now = yield* ask("users", `/users/${user.id}`)
      const problem = json(second) as { readonly title?: unknown; readonly stage?: unknown }
      const name = (json(now) as { readonly name?: unknown }).name
      page.say(`   first   ${first.status} ETag ${first.headers["etag"] ?? "-"}`)
      page.say(`   second  ${second.status} ${String(problem.title)}`)
      page.say(
        `   the user is now called ${String(name)}, version ${now.headers["etag"] ?? "-"}: nothing was overwritten`
      )

      page.equal("the first status", first.status, 200)
      page.equal("the ETag of the first change", first.headers["etag"], "\"2\"")
      page.equal("the status of the stale change", second.status, 412)
      page.equal("its Content-Type", second.headers["content-type"], "application/problem+json")
      page.equal("its stage", problem.stage, "Dependencies")
      page.equal("the user afterwards", json(now), { ...user, name: "Alice Liddell" })
      page.equal("the ETag afterwards", now.headers["etag"], "\"2\"")
    })
} satisfies Scenario<unknown, Services>
